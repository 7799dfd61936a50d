/** @file The Run station: what the next run needs, what the live run does, how the last one ended, and the list of all. */
import type { ReactElement } from 'react';
import { formatAbout, formatCount, formatCounted, formatParameter, formatTime } from '../format.ts';
import { decompositionLine } from '../decomposition.ts';
import { runNames } from '../charts/names.ts';
import { goOn } from '../compare/stored.ts';
import { continueRun, reinforceRun, startObstacle, startRun } from './control.ts';
import { loraLabel } from '../method/configLine.ts';
import { choiceName, METHODS, methodInfo } from '../../worker/methods.ts';
import { stepsText } from '../method/reinforce.ts';
import { needsAllWeights } from '../method/methodSettings.ts';
import { Alert } from '../parts/Alert.tsx';
import { Icon } from '../parts/Icon.tsx';
import { CopyButton } from '../parts/CopyButton.tsx';
import { Ring } from '../parts/Ring.tsx';
import { hasWeights, isUnknown, remainingSeconds, type LabRun } from '../runs.ts';
import { chooseMethod, selectLiveRun, selectMisfit, selectRun, showTab, startRunFrom, useLab } from '../store.ts';
import { FrozenConfig } from './FrozenConfig.tsx';
import { refreshEstimate } from './estimate.ts';
import { MemoryEstimate } from './MemoryEstimate.tsx';
import { MisfitAlert, WaysToFit } from './Misfit.tsx';
import { Phases } from './Phases.tsx';
import { RunList } from './RunList.tsx';
import { StopButtons } from './StopButtons.tsx';

/** The weights that the next run starts from, where there is a choice. */
function StartFrom(): ReactElement | null {
  const runs = useLab((state) => state.runs);
  const startFrom = useLab((state) => state.config.startFrom);
  const model = useLab((state) => state.model?.name);
  const candidates = runs.filter(hasWeights);
  if (candidates.length === 0) return null;
  const names = runNames(runs);
  return (
    <label className="stack">
      Starts from
      <select value={startFrom ?? ''} onChange={(event) => startRunFrom(event.target.value === '' ? undefined : event.target.value)}>
        <option value="">{model}, as it was opened</option>
        {candidates.map((run) => (
          <option key={run.id} value={run.id}>
            {names[runs.indexOf(run)]}, step {formatCount(run.completedSteps)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** How the time is found out. */
const probes = {
  supervised: { doing: 'Three steps are being run', ask: 'Run three steps', from: 'a 3-step probe' },
  reinforced: { doing: 'A part of a step is being run', ask: 'Run a part of a step', from: 'a part of a step' },
} as const;

/** Memory and time of the run being edited. */
function NextRun(): ReactElement {
  const config = useLab((state) => state.config);
  const estimate = useLab((state) => state.estimate);
  const estimating = useLab((state) => state.estimating);
  const software = useLab((state) => state.diagnosis?.adapter?.software ?? false);
  const obstacle = useLab(() => startObstacle());
  const hasRuns = useLab((state) => state.runs.length > 0);
  const misfit = useLab(selectMisfit);
  const precision = useLab((state) => state.model?.precision ?? 'f32');
  const steps = config.reinforce === undefined ? formatCounted(config.steps, 'step') : stepsText(config);
  const probed = probes[config.reinforce === undefined ? 'supervised' : 'reinforced'];
  return (
    <>
      {hasRuns ? (
        <h2 className="station-h">
          Next run: {choiceName(config)}
          {config.lora === undefined ? '' : `, ${loraLabel(config.lora)}`}
        </h2>
      ) : null}
      <StartFrom />
      {misfit === undefined ? null : <MisfitAlert fit={misfit} />}
      {obstacle === undefined || misfit !== undefined ? null : <p className="note bad">{obstacle}</p>}
      {estimate === undefined || estimate.bytes.length === 0 ? null : <MemoryEstimate estimate={estimate} config={config} precision={precision} misfit={misfit} />}
      {misfit === undefined ? null : <WaysToFit fit={misfit} />}
      {estimate?.warnings.map((warning) => (
        <p className="note warn" key={warning}>
          <Icon name="alert" />
          {warning}
        </p>
      ))}
      <p className="help">
        {estimate?.seconds === undefined ? (
          <>
            {estimating ? <Ring state="live" /> : null} {steps}. {estimating ? `${probed.doing} to know the time it will take here.` : ''}
            {estimating || estimate === undefined || obstacle !== undefined ? null : (
              <button type="button" className="link" onClick={() => void refreshEstimate(true)}>
                {probed.ask} to know the time
              </button>
            )}
          </>
        ) : (
          `${steps}, ${formatAbout(estimate.seconds)} here, from ${probed.from}.`
        )}
        {estimate === undefined || estimate.obstacle !== undefined ? '' : ` That is ${formatParameter(estimate.epochs)} times through the ${config.reinforce === undefined ? 'data' : 'questions'}.`}
      </p>
      {software ? <p className="note warn">This adapter computes on the processor. A run works, but takes many times longer than on a graphics card.</p> : null}
    </>
  );
}

/** The bases that a run works in: where they come from, which holds least, and what went wrong with kept ones. */
function Bases({ run: { decomposition } }: { readonly run: LabRun }): ReactElement | null {
  if (decomposition === undefined) return null;
  return (
    <>
      <p className="help">{decompositionLine(decomposition)}</p>
      {decomposition.notes.map((note) => (
        <p className="note" key={note}>
          {note}
        </p>
      ))}
    </>
  );
}

function LiveRun({ run }: { readonly run: LabRun }): ReactElement {
  const eta = remainingSeconds(run);
  return (
    <>
      <Phases run={run} />
      <Bases run={run} />
      {eta === undefined ? null : <p className="help">{run.state === 'paused' ? `Paused with ${formatAbout(eta)} to go.` : `To go: ${formatAbout(eta)}.`}</p>}
      <StopButtons run={run} />
    </>
  );
}

/** Takes the run up where it was interrupted or stopped. */
function GoOn({ run }: { readonly run: LabRun }): ReactElement | null {
  if (run.resumableFrom === undefined) return null;
  return (
    <button type="button" className="btn" title="The same run goes on, to the same bits as if it had not been left" onClick={() => void goOn(run)}>
      Go on from step {formatCount(run.resumableFrom)}
    </button>
  );
}

/** How the selected run ended, and what can be done with it. */
function EndedRun({ run }: { readonly run: LabRun }): ReactElement {
  const other = useLab((state) => METHODS.find(({ id, control }) => !control && state.runs.every(({ config }) => config.method !== id) && (state.config.lora === undefined || !needsAllWeights(id)))?.id);
  if (run.state === 'failed') {
    return (
      <Alert
        title={`${choiceName(run.config)} stopped at step ${formatCount(run.completedSteps)}`}
        actions={
          <>
            <GoOn run={run} />
            <DiagnosticsButton />
          </>
        }
      >
        <p>{run.message ?? 'The engine gave no reason.'}</p>
        <p>Its curves up to there are kept. The other runs are as they were.</p>
      </Alert>
    );
  }
  const time = run.activeMs > 0 ? ` in ${formatTime(run.activeMs / 1000)}` : '';
  return (
    <>
      <p className="result">
        {run.importedFrom === undefined ? '' : `Opened from ${run.importedFrom}${isUnknown(run) ? '' : ', '}`}
        {isUnknown(run) ? '' : `${choiceName(run.config)}: ${formatCounted(run.completedSteps, 'step')}`}
        {time}
        {run.state === 'stopped' ? `, stopped before its ${formatCounted(run.config.steps, 'step')}` : ''}.
      </p>
      <Bases run={run} />
      {run.recorded ? null : (
        <div className="acts run-acts">
          <GoOn run={run} />
          <button type="button" className="btn" onClick={() => showTab('playground')}>
            Try it
          </button>
          <button type="button" className="btn" onClick={() => showTab('export')}>
            Export
          </button>
          <button type="button" className="btn" title="The next run starts from these weights, with the same settings" onClick={() => continueRun(run)}>
            Continue from this run
          </button>
          <button type="button" className="btn" title="The next run samples answers from these weights and learns from those that are right" onClick={() => reinforceRun(run)}>
            Reinforce from this run (GRPO)
          </button>
          {other === undefined ? null : (
            <button
              type="button"
              className="btn"
              onClick={() => {
                chooseMethod(other);
                void startRun();
              }}
            >
              Run again with {methodInfo(other).name}
            </button>
          )}
        </div>
      )}
    </>
  );
}

function DiagnosticsButton(): ReactElement | null {
  const report = useLab((state) => state.diagnosis?.report);
  return report === undefined ? null : <CopyButton text={report} label="Copy diagnostics" />;
}

/** What a request or the device itself reported. */
function Problems(): ReactElement {
  const runProblem = useLab((state) => state.runProblem);
  const deviceProblem = useLab((state) => state.deviceProblem);
  const dismiss = (
    <button type="button" className="btn quiet" onClick={() => useLab.setState({ runProblem: undefined, deviceProblem: undefined })}>
      Dismiss
    </button>
  );
  return (
    <>
      {deviceProblem === undefined ? null : (
        <Alert
          title="The engine reported a problem"
          actions={
            <>
              <DiagnosticsButton />
              {dismiss}
            </>
          }
        >
          <p>{deviceProblem}</p>
        </Alert>
      )}
      {runProblem === undefined ? null : (
        <Alert title="That did not work" actions={dismiss}>
          <p>{runProblem}</p>
          <p>The runs you have are as they were.</p>
        </Alert>
      )}
    </>
  );
}

export function RunStation(): ReactElement {
  const live = useLab(selectLiveRun);
  const selected = useLab(selectRun);
  const usable = useLab((state) => state.connection !== 'unavailable' && state.connection !== 'failed');
  const shown = live ?? selected;
  return (
    <>
      <Problems />
      {live === undefined ? null : <LiveRun run={live} />}
      {live === undefined && selected !== undefined && !selected.recorded ? <EndedRun run={selected} /> : null}
      {live === undefined && usable ? <NextRun /> : null}
      {usable ? null : <p className="help">Training needs a graphics adapter. A recorded run and its views work without one.</p>}
      {shown === undefined ? null : <FrozenConfig run={shown} />}
      <RunList />
    </>
  );
}
