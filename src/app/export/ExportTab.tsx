/** @file The Export tab: the weights of a run as files that open in Python, read back before they are offered. */
import { useState, type ReactElement } from 'react';
import { runNames } from '../charts/names.ts';
import { formatBytes, formatCount, formatPercent } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { Ring } from '../parts/Ring.tsx';
import { isLive, type LabRun } from '../runs.ts';
import { selectRun, useLab } from '../store.ts';
import { ExportedFiles } from './ExportedFiles.tsx';
import { writeExport } from './write.ts';

/** Runs whose weights were kept. */
const exportable = (runs: readonly LabRun[]): readonly LabRun[] => runs.filter((run) => !run.recorded && !isLive(run) && run.state !== 'failed');

/** "RPSFT, step 300, in-domain 79.0%, out-of-domain 79.8%". */
export function runOption(name: string, { completedSteps, evaluations }: Pick<LabRun, 'completedSteps' | 'evaluations'>): string {
  const last = evaluations.findLast(({ step }) => step > 0);
  const step = `${name}, step ${formatCount(completedSteps)}`;
  if (last === undefined) return step;
  const { inDomain, outOfDomain } = last;
  return `${step}, in-domain ${formatPercent(inDomain.correct / inDomain.items, inDomain.items)}, out-of-domain ${formatPercent(outOfDomain.correct / outOfDomain.items, outOfDomain.items)}`;
}

function Nothing(): ReactElement {
  const live = useLab((state) => state.runs.some(isLive));
  return (
    <div className="emptyview">
      <Icon name="folder" className="big" />
      <p className="lead-line">Nothing to export yet.</p>
      <p className="lead-sub">
        {live ? 'The run is still going on. When it has finished, or with Stop and keep, its weights can be taken home.' : 'After a run you can take the weights home as files that open in Python.'}
      </p>
    </div>
  );
}

export function ExportTab(): ReactElement {
  const runs = useLab((state) => state.runs);
  const selected = useLab(selectRun);
  const model = useLab((state) => state.model);
  const exported = useLab((state) => state.exported);
  const [chosen, setChosen] = useState<string>();
  const candidates = exportable(runs);
  const run = candidates.find(({ id }) => id === (chosen ?? selected?.id)) ?? candidates.at(-1);
  if (run === undefined) return <Nothing />;
  const names = runNames(runs);
  const own = exported?.run === run.id ? exported : undefined;
  const writing = exported?.state === 'writing';
  return (
    <>
      <header className="lead one">
        <div className="lead-say">
          <h2 className="lead-line">Take the weights home.</h2>
          <p className="lead-sub">Files are written, read back and compared with the live model before this page offers them.</p>
        </div>
      </header>
      <div className="exp">
        <div className="exp-a">
          <label className="stack">
            Run
            <select value={run.id} onChange={(event) => setChosen(event.target.value)}>
              {candidates.map((candidate) => (
                <option key={candidate.id} value={candidate.id}>
                  {runOption(names[runs.indexOf(candidate)] ?? candidate.id, candidate)}
                </option>
              ))}
            </select>
          </label>
          <div className="exp-format">
            <b>Hugging Face folder</b>
            {model === undefined ? null : <em>{formatBytes(own?.result?.blob.size ?? model.parameters * 4)}</em>}
            <small>Full weights in f32, config and tokenizer, with the settings and every measurement of the run beside them. One zip file. Opens in transformers.</small>
          </div>
          <div className="acts">
            <button type="button" className="btn primary" disabled={writing} onClick={() => void writeExport(run.id)}>
              {writing ? <Ring state="live" /> : <Icon name="download" />}
              {writing ? 'Writing and reading back' : 'Download zip'}
            </button>
          </div>
          {own?.state === 'failed' ? (
            <p className="note bad" role="alert">
              <Icon name="alert" />
              {own.message}
            </p>
          ) : null}
        </div>
        <div className="exp-b">{own?.result === undefined ? null : <ExportedFiles result={own.result} />}</div>
      </div>
    </>
  );
}
