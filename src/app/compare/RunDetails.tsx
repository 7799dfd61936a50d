/** @file What is behind a row of the run table: its name and tags, the frozen settings, where it ran, the hashes of its data, and each seed. */
import { useState, type ReactElement } from 'react';
import type { Evaluation } from '../../worker/protocol.ts';
import { formatBytes, formatCount, formatDay, formatPercent } from '../format.ts';
import { Spec } from '../parts/Spec.tsx';
import { configRows } from '../run/configRows.ts';
import { runResult } from '../run/RunList.tsx';
import { isLive, isUnknown, type LabRun } from '../runs.ts';
import { useLab } from '../store.ts';
import type { KeptRun, RunGroup } from './groups.ts';
import { annotate, deleteGroup, goOn, saveBundle } from './stored.ts';

const parseTags = (text: string): readonly string[] => [...new Set(text.split(',').map((tag) => tag.trim()).filter(Boolean))];

/** Kept when the field is left or Enter is pressed. */
function NoteField({ label, help, value, onKeep }: { readonly label: string; readonly help: string; readonly value: string; readonly onKeep: (text: string) => void }): ReactElement {
  const [text, setText] = useState(value);
  const keep = (): void => {
    if (text.trim() !== value) onKeep(text.trim());
  };
  return (
    <label className="note-field">
      <span>{label}</span>
      <input className="txt" value={text} placeholder={help} onChange={(event) => setText(event.target.value)} onBlur={keep} onKeyDown={(event) => event.key === 'Enter' && keep()} />
    </label>
  );
}

const short = (hash: string): string => (hash.length > 16 ? `${hash.slice(0, 16)}…` : hash);

function environmentRows({ environment: { adapter, browser, modelRevision, dataHashes }, bytes, hasWeights }: KeptRun): readonly (readonly [string, ReactElement | string])[] {
  return [
    ['Adapter', adapter],
    ['Browser', browser],
    ...(modelRevision === undefined ? [] : [['Model at', <code key="revision">{short(modelRevision)}</code>] as const]),
    ...Object.entries(dataHashes).map(([name, hash]) => [`SHA-256 of ${name}`, <code key={name} title={hash}>{short(hash)}</code>] as const),
    ['Kept', bytes === 0 ? 'in memory only, until the page is left' : `${formatBytes(bytes)}${hasWeights ? ', with weights' : ', log only'}`],
  ];
}

function Seeds({ runs }: { readonly runs: readonly LabRun[] }): ReactElement {
  const live = useLab((state) => state.runs.some(isLive));
  return (
    <ul className="run-seeds">
      {runs.map((run) => (
        <li key={run.id}>
          <b>Seed {run.config.seed}</b> {formatDay(run.startedAt)}, {run.state === 'finished' ? `${formatCount(run.completedSteps)} steps, ` : ''}
          {runResult(run)}
          {run.message === undefined ? '' : ` ${run.message}`}
          {run.resumableFrom === undefined || isLive(run) ? null : (
            <button type="button" className="btn" disabled={live} onClick={() => void goOn(run)}>
              Go on from step {formatCount(run.resumableFrom)}
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

/** Both suites: "12.5% of 200 items in-domain, 95.2% of 644 out-of-domain." */
const measuredText = ({ inDomain, outOfDomain }: Evaluation): string =>
  `${formatPercent(inDomain.correct / inDomain.items, inDomain.items)} of ${formatCount(inDomain.items)} items in-domain, ${formatPercent(outOfDomain.correct / outOfDomain.items, outOfDomain.items)} of ${formatCount(outOfDomain.items)} out-of-domain.`;

export function RunDetails({ group }: { readonly group: RunGroup }): ReactElement {
  const { runs, config, name, tags, pinned } = group;
  const [first] = runs;
  const kept = useLab((state) => (first === undefined ? undefined : state.kept[first.id]));
  const [withWeights, setWithWeights] = useState(false);
  const own = runs.filter(({ recorded }) => !recorded);
  const base = first?.evaluations.find(({ step }) => step === 0);
  const start = first?.start;
  return (
    <div className="run-details">
      {kept === undefined ? null : (
        <div className="run-notes">
          <NoteField label="Name" help={name} value={kept.notes.name ?? ''} onKeep={(text) => void annotate(group, { name: text })} />
          <NoteField label="Tags" help="paper, pilot" value={tags.join(', ')} onKeep={(text) => void annotate(group, { tags: parseTags(text) })} />
          <label className="chk">
            <input type="checkbox" checked={pinned} onChange={(event) => void annotate(group, { pinned: event.target.checked })} />
            Pin to the top
          </label>
        </div>
      )}
      <div className="run-facts">
        <section aria-label="Settings">
          <h3>Settings, frozen when it started</h3>
          <Spec rows={[...(first === undefined ? [] : [['Model', first.model], ['Data', first.dataset]] as const), ...(first !== undefined && isUnknown(first) ? [] : configRows(config).filter(([key]) => key !== 'Seed'))]} />
        </section>
        <section aria-label="Environment">
          <h3>Environment and data</h3>
          {kept === undefined ? <p className="foot">{first?.recorded === true ? 'A recorded run: it was not made in this browser.' : 'Known once the run has ended.'}</p> : <Spec rows={environmentRows(kept)} />}
          {base === undefined ? null : <p className="foot">Base model: {measuredText(base)}</p>}
          {start === undefined ? null : <p className="foot">Where it starts: {measuredText(start)}</p>}
        </section>
        <section aria-label="Seeds">
          <h3>Runs</h3>
          <Seeds runs={runs} />
        </section>
      </div>
      <div className="acts">
        {own.length === 0 ? null : (
          <>
            <button type="button" className="btn" disabled={own.some(isLive)} onClick={() => void saveBundle(own.map(({ id }) => id), withWeights)}>
              Save as bundle
            </button>
            <label className="chk">
              <input type="checkbox" checked={withWeights} onChange={(event) => setWithWeights(event.target.checked)} />
              with weights
            </label>
          </>
        )}
        <button type="button" className="btn danger" disabled={runs.length === 0 || runs.some(isLive)} onClick={() => void deleteGroup(group)}>
          Delete {runs.length === 1 ? 'this run' : `these ${runs.length} runs`}
        </button>
      </div>
    </div>
  );
}
