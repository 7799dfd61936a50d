/** @file The Export tab: a run as files that open in Python, read back before they are offered. */
import { useState, type ReactElement } from 'react';
import type { ExportKind, ExportOptions, ModelSummary } from '../../worker/protocol.ts';
import { runNames } from '../charts/names.ts';
import { formatBytes, formatCount } from '../format.ts';
import { fieldProblem } from '../method/fields.ts';
import { ChoiceText } from '../parts/ChoiceText.tsx';
import { NumberField } from '../parts/NumberField.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Progress } from '../parts/Progress.tsx';
import { Segments } from '../parts/Segments.tsx';
import { resultText } from '../results.ts';
import { hasWeights, isLive, type LabRun } from '../runs.ts';
import { selectRun, useLab, type Exported } from '../store.ts';
import { ExportedFiles } from './ExportedFiles.tsx';
import { exportKinds, type KindInfo } from './kinds.ts';
import { canSaveToFolder, cancelExport, saveToFolder, writeExport } from './write.ts';

/** "RPSFT, step 300, in-domain 79.0%, out-of-domain 79.8%". */
export function runOption(name: string, { completedSteps, evaluations, measures }: Pick<LabRun, 'completedSteps' | 'evaluations' | 'measures'>): string {
  const last = evaluations.findLast(({ step }) => step > 0);
  const step = `${name}, step ${formatCount(completedSteps)}`;
  return last === undefined ? step : `${step}, ${resultText(last, measures)}`;
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

function Kind({ info, chosen, onChoose }: { readonly info: KindInfo; readonly chosen: boolean; readonly onChoose: (kind: ExportKind) => void }): ReactElement {
  return (
    <label className={info.possible ? 'choice' : 'choice off'}>
      <input type="radio" name="export-kind" checked={chosen} disabled={!info.possible} onChange={() => onChoose(info.kind)} />
      <ChoiceText label={info.label} detail={info.detail} />
      {info.possible ? <em>{formatBytes(info.bytes)}</em> : null}
    </label>
  );
}

const dtypes = [
  { value: 'F32', label: 'f32' },
  { value: 'BF16', label: 'bf16' },
  { value: 'F16', label: 'f16' },
] as const;

const dtypeHelp = {
  F32: 'As trained, nothing is rounded.',
  BF16: 'Half the size, rounded to 8 bits of precision. What most models are published in.',
  F16: 'Half the size, rounded to 11 bits of precision; values beyond 65,504 do not fit and are reported.',
} as const;

/** Whether the files were written, and what went wrong with it. */
function Outcome({ exported }: { readonly exported: Exported }): ReactElement | null {
  switch (exported.state) {
    case 'writing':
      return <Progress progress={exported.progress} waiting="Writing" onCancel={() => void cancelExport()} />;
    case 'cancelled':
      return <p className="help">Cancelled. The run and its weights are as they were.</p>;
    case 'failed':
      return (
        <p className="note bad" role="alert">
          <Icon name="alert" />
          {exported.message}
        </p>
      );
    case 'done':
      return exported.folder === undefined ? null : (
        <p className="note">
          <Icon name="check" />
          Saved in the folder {exported.folder}.
        </p>
      );
  }
}

interface FormProps {
  readonly run: LabRun;
  readonly model: ModelSummary;
  readonly options: ExportOptions;
  readonly onChange: (change: Partial<ExportOptions>) => void;
}

/** What to write and where to. */
function Form({ run, model, options, onChange }: FormProps): ReactElement {
  const runs = useLab((state) => state.runs);
  const exported = useLab((state) => state.exported);
  const writing = exported?.state === 'writing';
  const kinds = exportKinds(run, runs, model, options);
  const chosen = kinds.find(({ kind, possible }) => possible && kind === options.kind) ?? kinds[0];
  if (chosen === undefined) return <Nothing />;
  const wanted: ExportOptions = { ...options, kind: chosen.kind };
  const rankProblem = chosen.extracted ? fieldProblem('loraRank', options.rank) : undefined;
  const folders = canSaveToFolder();
  return (
    <>
      <div className="choices" role="radiogroup" aria-label="What to write">
        {kinds.map((info) => (
          <Kind key={info.kind} info={info} chosen={info === chosen} onChoose={(kind) => onChange({ kind })} />
        ))}
      </div>
      {chosen.kind === 'model' ? (
        <div className="numfield">
          <div className="field">
            <span className="field-l">Weights in</span>
            <Segments legend="How the weights are written" options={dtypes} value={options.dtype} onChange={(dtype) => onChange({ dtype })} />
          </div>
          <p className="help">{dtypeHelp[options.dtype]}</p>
        </div>
      ) : null}
      {chosen.extracted ? (
        <NumberField field="loraRank" label="Rank" value={options.rank} problem={rankProblem} onChange={(rank) => onChange({ rank })} />
      ) : null}
      <div className="acts">
        {folders ? (
          <button type="button" className="btn primary" disabled={writing || rankProblem !== undefined} onClick={() => void saveToFolder(run.id, wanted)}>
            <Icon name="folder" />
            Save to a folder
          </button>
        ) : null}
        <button type="button" className={folders ? 'btn' : 'btn primary'} disabled={writing || rankProblem !== undefined} onClick={() => void writeExport(run.id, wanted)}>
          <Icon name="download" />
          Download zip
        </button>
      </div>
      {exported?.run === run.id ? <Outcome exported={exported} /> : null}
    </>
  );
}

export function ExportTab(): ReactElement {
  const runs = useLab((state) => state.runs);
  const selected = useLab(selectRun);
  const model = useLab((state) => state.model);
  const exported = useLab((state) => state.exported);
  const [chosen, setChosen] = useState<string>();
  const [options, setOptions] = useState<ExportOptions>({ kind: 'model', dtype: 'F32', rank: 16 });
  const candidates = runs.filter(hasWeights);
  const run = candidates.find(({ id }) => id === (chosen ?? selected?.id)) ?? candidates.at(-1);
  if (run === undefined || model === undefined) return <Nothing />;
  const names = runNames(runs);
  const own = exported?.run === run.id ? exported : undefined;
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
          <Form run={run} model={model} options={options} onChange={(change) => setOptions((before) => ({ ...before, ...change }))} />
        </div>
        <div className="exp-b">{own?.result === undefined ? null : <ExportedFiles exported={own} result={own.result} model={model} />}</div>
      </div>
    </>
  );
}
