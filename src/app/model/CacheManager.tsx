/** @file What lies in this browser beside runs: downloaded models, data and models from files, singular bases; how large each is, what needs it, and deleting it. */
import { useEffect, useState, type ReactElement } from 'react';
import type { KeptBases, KeptFile, StorageReport } from '../../worker/protocol.ts';
import { formatBytes, formatCount, formatCounted, formatDay, formatShare } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { selectLiveRun, useLab } from '../store.ts';
import { forgetBases, forgetFile, refreshStorage, removeCached } from './opening.ts';

type Cached = StorageReport['models'][number];

const totalOf = (models: readonly Pick<Cached, 'bytes'>[]): number => models.reduce((sum, { bytes }) => sum + bytes, 0);

/** Asks in place before it deletes. */
function Deleting({ what, bytes, label, onDelete }: { readonly what: string; readonly bytes: number; readonly label?: string; readonly onDelete: () => void }): ReactElement {
  const [asking, setAsking] = useState(false);
  if (asking) {
    return (
      <span className="acts cache-ask">
        <button type="button" className="btn danger" onClick={onDelete}>
          Delete {formatBytes(bytes)}
        </button>
        {/* The safe answer has the focus. */}
        {/* oxlint-disable-next-line jsx-a11y/no-autofocus */}
        <button type="button" className="btn" autoFocus onClick={() => setAsking(false)}>
          Keep
        </button>
      </span>
    );
  }
  if (label !== undefined) {
    return (
      <button type="button" className="btn" onClick={() => setAsking(true)}>
        {label}
      </button>
    );
  }
  return (
    <button type="button" className="ib" aria-label={`Delete ${what} from this browser`} title="Delete from this browser" onClick={() => setAsking(true)}>
      <Icon name="x" />
    </button>
  );
}

/** "open now, needed by 3 runs and 2 in the queue": what would ask for it again. */
function neededBy({ open, runs, queued }: KeptFile): string {
  const users = [...(runs > 0 ? [formatCounted(runs, 'run')] : []), ...(queued > 0 ? [`${formatCount(queued)} in the queue`] : [])];
  return [open ? 'open now' : '', users.length === 0 ? '' : `needed by ${users.join(' and ')}`].filter(Boolean).join(', ') || 'needed by nothing';
}

function FromFiles({ files }: { readonly files: readonly KeptFile[] }): ReactElement | null {
  if (files.length === 0) return null;
  return (
    <ul className="cache">
      {files.map((file) => (
        <li key={file.key}>
          <span>
            <b>{file.name}</b>
            <small>
              {file.kind === 'model' ? 'model from files' : 'data'}, {formatBytes(file.bytes)}, {neededBy(file)}
            </small>
          </span>
          <Deleting what={file.name} bytes={file.bytes} onDelete={() => void forgetFile(file)} />
        </li>
      ))}
    </ul>
  );
}

/** "SmolLM2-135M, k 20%", and "in bf16", "60 matrices" where that is not the ordinary. */
function Bases({ bases }: { readonly bases: readonly KeptBases[] }): ReactElement | null {
  if (bases.length === 0) return null;
  return (
    <ul className="cache">
      {bases.map((each) => (
        <li key={each.key}>
          <span>
            <b>
              {each.name}, <i className="mv">k</i> {formatShare(each.rankFraction)}
            </b>
            <small>
              singular bases{each.matrices === undefined ? '' : ` of ${formatCounted(each.matrices, 'matrix', 'matrices')}`}
              {each.precision === 'f32' ? '' : ` in ${each.precision}`}, {formatBytes(each.bytes)}, last used {formatDay(each.lastUsed)}
            </small>
          </span>
          <Deleting what={`the bases of ${each.name}, k ${formatShare(each.rankFraction)},`} bytes={each.bytes} onDelete={() => void forgetBases(each)} />
        </li>
      ))}
    </ul>
  );
}

export function CacheManager(): ReactElement | null {
  const storage = useLab((state) => state.storage);
  const files = useLab((state) => state.keptFiles);
  const bases = useLab((state) => state.keptBases);
  const opening = useLab((state) => state.opening !== undefined);
  useEffect(() => {
    void refreshStorage();
    return useLab.subscribe((now, before) => {
      if (now.datasets !== before.datasets || (selectLiveRun(before) !== undefined && selectLiveRun(now) === undefined)) void refreshStorage();
    });
  }, []);
  if (storage === undefined) return null;
  const { models, usage, quota } = storage;
  return (
    <details className="more" onToggle={({ currentTarget: { open } }) => void (open && refreshStorage())}>
      <summary>
        Kept in this browser
        <span>{[models.length === 0 ? '' : formatCounted(models.length, 'download'), files.length === 0 ? '' : formatCounted(files.length, 'file'), bases.length === 0 ? '' : `bases of ${formatCounted(new Set(bases.map(({ name }) => name)).size, 'model')}`, formatBytes(totalOf([...models, ...files, ...bases]))].filter(Boolean).join(', ')}</span>
        <Icon name="chevron" className="chev" />
      </summary>
      <div className="more-body">
        {models.length === 0 ? null : (
          <ul className="cache">
            {models.map(({ key, repo, commit, bytes, complete, lastUsed }) => (
              <li key={key}>
                <span>
                  <b>{repo}</b>
                  <small>
                    {formatBytes(bytes)}
                    {complete ? '' : ' so far'}, <code>{commit.slice(0, 7)}</code>, last used {formatDay(lastUsed)}
                  </small>
                </span>
                {opening ? null : <Deleting what={repo} bytes={bytes} onDelete={() => void removeCached(key)} />}
              </li>
            ))}
          </ul>
        )}
        {models.length < 2 || opening ? null : <Deleting what="all models" bytes={totalOf(models)} label={`Delete all, ${formatBytes(totalOf(models))}`} onDelete={() => void removeCached('all')} />}
        <FromFiles files={files} />
        <Bases bases={bases} />
        <p className="help">
          Downloads, and copies of the data and models you open from files, so that the page and the queue go on after a reload. They lie in this browser on this machine and are sent nowhere. Files go by themselves once nothing open, queued or kept was made on
          them; a run or queue that needs one you delete asks for it again. Singular bases save a run on the same model from decomposing it again, and make way for whatever needs the room.
        </p>
        <p className="help">
          This page stores {formatBytes(usage)}{quota === 0 ? '' : ` of the ${formatBytes(quota)} that the browser allows`}. Deleting a model here leaves it open if it is.
        </p>
      </div>
    </details>
  );
}
