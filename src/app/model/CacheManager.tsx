/** @file The cache of downloaded models: what lies in it, how large, when it was last used, and deleting it. */
import { useEffect, useState, type ReactElement } from 'react';
import type { StorageReport } from '../../worker/protocol.ts';
import { formatBytes, formatCounted, formatDay } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { useLab } from '../store.ts';
import { refreshStorage, removeCached } from './opening.ts';

type Cached = StorageReport['models'][number];

const totalOf = (models: readonly Cached[]): number => models.reduce((sum, { bytes }) => sum + bytes, 0);

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
    <button type="button" className="ib" aria-label={`Delete ${what} from the cache`} title="Delete from the cache" onClick={() => setAsking(true)}>
      <Icon name="x" />
    </button>
  );
}

export function CacheManager(): ReactElement | null {
  const storage = useLab((state) => state.storage);
  const opening = useLab((state) => state.opening !== undefined);
  useEffect(() => void refreshStorage(), []);
  if (storage === undefined) return null;
  const { models, usage, quota } = storage;
  return (
    <details className="more">
      <summary>
        Cache
        <span>{models.length === 0 ? 'No downloaded model' : `${formatCounted(models.length, 'model')}, ${formatBytes(totalOf(models))}`}</span>
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
        <p className="help">
          This page stores {formatBytes(usage)}{quota === 0 ? '' : ` of the ${formatBytes(quota)} that the browser allows`}. Deleting a model here leaves it open if it is.
        </p>
      </div>
    </details>
  );
}
