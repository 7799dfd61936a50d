/** @file GRPO in the Method station, in place of the methods: what it does, its settings with their ranges, and the way back. */
import type { ReactElement } from 'react';
import { choiceName } from '../../worker/methods.ts';
import type { ReinforceConfig } from '../../worker/protocol.ts';
import { NumberField } from '../parts/NumberField.tsx';
import { superviseRun, useLab, editConfig } from '../store.ts';
import { checkConfig, reinforceKeys } from './fields.ts';

export function ReinforceEditor({ reinforce }: { readonly reinforce: ReinforceConfig }): ReactElement {
  const config = useLab((state) => state.config);
  const problems = checkConfig(config, useLab((state) => state.model?.contextLength));
  return (
    <div className="params">
      <h2 className="station-h">{choiceName(config)}</h2>
      <p className="help">
        Answers are sampled for each question and checked against its gold answer; those that are better than the others of their question become likelier. Nothing holds the weights: no penalty, no KL term. From{' '}
        <a href="https://arxiv.org/abs/2402.03300" target="_blank" rel="noreferrer">
          DeepSeekMath
        </a>
        , with the wider upper bound and the mean over tokens of{' '}
        <a href="https://arxiv.org/abs/2503.14476" target="_blank" rel="noreferrer">
          DAPO
        </a>
        .
      </p>
      {reinforceKeys.map((key) => (
        <NumberField key={key} field={key} value={reinforce[key]} problem={problems[key]} onChange={(value) => editConfig({ reinforce: { ...reinforce, [key]: value } })} />
      ))}
      <div className="acts">
        <button type="button" className="btn" onClick={superviseRun}>
          Back to supervised
        </button>
      </div>
    </div>
  );
}
