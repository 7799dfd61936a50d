/** @file What lies in this browser beside runs: downloaded models, data and models from files; how large each is, what needs it, and deleting it. */
import { useEffect, useState, type ReactElement } from 'react';
import type { KeptFile, StorageReport } from '../../worker/protocol.ts';
import { formatBytes, formatCount, formatCounted, formatDay } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { useLab } from '../store.ts';
import { forgetFile, refreshStorage, removeCached } from './opening.ts';

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

export function CacheManager(): ReactElement | null {
  const storage = useLab((state) => state.storage);
  const files = useLab((state) => state.keptFiles);
  const opening = useLab((state) => state.opening !== undefined);
  useEffect(() => {
    void refreshStorage();
    return useLab.subscribe((now, before) => {
      if (now.datasets !== before.datasets) void refreshStorage();
    });
  }, []);
  if (storage === undefined) return null;
  const { models, usage, quota } = storage;
  return (
    <details className="more">
      <summary>
        Kept in this browser
        <span>{[models.length === 0 ? '' : formatCounted(models.length, 'download'), files.length === 0 ? '' : formatCounted(files.length, 'file'), formatBytes(totalOf([...models, ...files]))].filter(Boolean).join(', ')}</span>
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
        <p className="help">
          Downloads, and copies of the data and models you open from files, so that the page and the queue go on after a reload. They lie in this browser on this machine and are sent nowhere. Files go by themselves once nothing open, queued or kept was made on
          them; a run or queue that needs one you delete asks for it again.
        </p>
        <p className="help">
          This page stores {formatBytes(usage)}{quota === 0 ? '' : ` of the ${formatBytes(quota)} that the browser allows`}. Deleting a model here leaves it open if it is.
        </p>
      </div>
    </details>
  );
}
