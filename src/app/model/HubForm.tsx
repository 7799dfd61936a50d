/** @file A model from the Hub: its name, what downloading it would mean, and the download. */
import type { ReactElement } from 'react';
import type { HubInfo, StorageReport } from '../../worker/protocol.ts';
import { formatBytes, formatCounted } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { Ring } from '../parts/Ring.tsx';
import { Spec } from '../parts/Spec.tsx';
import { useLab, type HubForm as HubFormState } from '../store.ts';
import { suggestedModels } from './hubName.ts';
import { editHub, lookUp, requestModel } from './opening.ts';

/** Bytes the browser would still let this page store, as it estimates; undefined where it does not say. */
export const freeSpace = ({ usage, quota }: Pick<StorageReport, 'usage' | 'quota'>): number | undefined => (quota === 0 ? undefined : Math.max(0, quota - usage));

/** What the button does and how much of it is a download: "Download 270 MB", "Open from the cache". */
export function downloadLabel({ bytes, cachedBytes }: Pick<HubInfo, 'bytes' | 'cachedBytes'>): string {
  const missing = bytes - cachedBytes;
  if (missing <= 0) return 'Open from the cache';
  return cachedBytes === 0 ? `Download ${formatBytes(missing)}` : `Download the other ${formatBytes(missing)}`;
}

function Found({ found, busy }: { readonly found: NonNullable<HubFormState['found']>; readonly busy: boolean }): ReactElement {
  const { info, request } = found;
  const precision = useLab((state) => state.model?.precision ?? 'f32');
  const isOpen = useLab(({ model }) => model?.name === info.repo && model.revision === info.commit);
  const free = freeSpace(info.storage);
  const missing = info.bytes - info.cachedBytes;
  const isTooLarge = free !== undefined && missing > free;
  return (
    <>
      <Spec
        rows={[
          ['Size', `${formatBytes(info.bytes)} in ${formatCounted(info.files.length, 'file')}`],
          ['In the cache', info.cachedBytes === 0 ? 'nothing' : formatBytes(info.cachedBytes)],
          ['Free space', free === undefined ? 'not told by the browser' : `${formatBytes(free)} of ${formatBytes(info.storage.quota)}`],
          ['Commit', <code key="commit">{info.commit.slice(0, 12)}</code>],
        ]}
      />
      <details className="more">
        <summary>
          Files
          <span>{formatCounted(info.files.length, 'file')}</span>
          <Icon name="chevron" className="chev" />
        </summary>
        <ul className="hub-files">
          {info.files.map(({ path, bytes }) => (
            <li key={path}>
              <code>{path}</code> <span>{formatBytes(bytes)}</span>
            </li>
          ))}
        </ul>
      </details>
      {isTooLarge ? (
        <p className="note warn">
          <Icon name="alert" />
          The browser offers {formatBytes(free)}, the download needs {formatBytes(missing)}. Delete a model from the cache below, or free space on the disk.
        </p>
      ) : null}
      {isOpen ? (
        <p className="note">
          <Icon name="check" />
          It is open.
        </p>
      ) : (
        <div className="acts">
          <button type="button" className="btn" disabled={busy || isTooLarge} onClick={() => void requestModel({ origin: { kind: 'hub', request }, precision })}>
            <Icon name={missing > 0 ? 'download' : 'folder'} />
            {downloadLabel(info)}
          </button>
        </div>
      )}
    </>
  );
}

export function HubForm({ busy }: { readonly busy: boolean }): ReactElement {
  const { name, revision, looking, found } = useLab((state) => state.hub);
  const usable = !busy && !looking;
  return (
    <form
      className="hub"
      onSubmit={(event) => {
        event.preventDefault();
        if (usable) void lookUp();
      }}
    >
      <div className="chips" role="group" aria-label="Models to begin with">
        {suggestedModels.map((suggested) => (
          <button
            key={suggested}
            type="button"
            className="chip-btn"
            aria-pressed={name === suggested}
            disabled={!usable}
            onClick={() => {
              editHub({ name: suggested, revision: 'main' });
              void lookUp();
            }}
          >
            <span>{suggested.split('/')[0]}/</span>
            {suggested.split('/')[1]}
          </button>
        ))}
      </div>
      <label className="stack">
        Name or address
        <input className="txt" value={name} placeholder="owner/name" autoComplete="off" spellCheck={false} onChange={(event) => editHub({ name: event.target.value })} />
      </label>
      <label className="stack">
        Branch, tag or commit
        <input className="txt" value={revision} autoComplete="off" spellCheck={false} onChange={(event) => editHub({ revision: event.target.value })} />
      </label>
      <div className="acts">
        <button type="submit" className="btn" disabled={!usable || name.trim() === ''}>
          {looking ? <Ring state="live" /> : null}
          {looking ? 'Looking it up' : 'Look up'}
        </button>
      </div>
      {found === undefined ? <p className="help">Looking up asks the Hub for sizes; nothing large is downloaded before you say so.</p> : <Found found={found} busy={busy} />}
    </form>
  );
}
