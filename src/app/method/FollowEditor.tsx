/** @file What a run measures of itself beside the suites and the matrices: off until it is asked for, with its cost before it starts. */
import type { ReactElement } from 'react';
import type { FollowConfig } from '../../worker/protocol.ts';
import { NumberField } from '../parts/NumberField.tsx';
import { Switch } from '../parts/Switch.tsx';
import { timedHere } from '../runs.ts';
import { useLab } from '../store.ts';
import { followCost, withFollow } from './follow.ts';

const edit = (change: Partial<FollowConfig>): void => useLab.setState(({ config }) => ({ config: withFollow(config, change) }));

export function FollowEditor({ problem }: { readonly problem: string | undefined }): ReactElement {
  const follow = useLab((state) => state.config.follow);
  const cost = useLab(({ config, estimate, runs, kept, diagnosis }) => followCost(config, estimate, timedHere(runs, kept, diagnosis?.adapter?.name)));
  return (
    <>
      <Switch label="Follow representations" help="How far hidden states move from the base model's, layer by layer (CKA, cosine, PCA shift), on out-of-domain tokens." checked={follow?.states === true} onChange={(states) => edit({ states })} />
      <Switch label="Follow outputs" help="How differently the next token is predicted (KL, JS), on the same tokens." checked={follow?.outputs === true} onChange={(outputs) => edit({ outputs })} />
      {follow === undefined ? null : (
        <>
          <NumberField field="followEvery" value={follow.every} problem={problem} onChange={(every) => edit({ every })} />
          <p className="help" role="status">
            {cost}
          </p>
        </>
      )}
    </>
  );
}
