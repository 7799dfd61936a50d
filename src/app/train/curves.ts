/** @file The curves of the Train view, from what a run has reported. */
import type { Accuracy, RunConfig, StepMetrics } from '../../worker/protocol.ts';
import { cached } from '../charts/cache.ts';
import type { LineSeries } from '../charts/plotModel.ts';
import { pointAt, type Break, type Point } from '../charts/points.ts';
import type { Axis, ScaleKind } from '../charts/scales.ts';
import { linearDomain, linearTicks, logDomain, stepTicks } from '../charts/scales.ts';
import type { Emphasis } from '../charts/series.ts';
import { smooth } from '../charts/smooth.ts';
import { formatCount, formatInterval, formatLoss, formatNorm, formatParameter, formatRange } from '../format.ts';
import { suiteLoss, type Suite } from '../results.ts';
import { pathOf, type LabRun } from '../runs.ts';
import { plannedLearningRate } from './plan.ts';

/** A run with its name and weight in the figures. */
export interface DrawnRun {
  readonly run: LabRun;
  readonly name: string;
  readonly emphasis: Emphasis;
}

const baseOf = ({ run, name, emphasis }: DrawnRun): Pick<LineSeries, 'id' | 'name' | 'method' | 'emphasis'> => ({
  id: run.id,
  name,
  method: run.config.method,
  emphasis,
});

const accuracyPoint = (step: number, { correct, items, low, high }: Accuracy): Point => ({
  x: step,
  y: items === 0 ? null : correct / items,
  low,
  high,
});

/** Accuracy of a suite by evaluated step, with its band. */
export const accuracyCurve = (drawn: DrawnRun, suite: Suite): LineSeries =>
  cached(drawn, suite, () => {
    const evaluations = pathOf(drawn.run);
    return {
      ...baseOf(drawn),
      line: evaluations.map((evaluation) => accuracyPoint(evaluation.step, evaluation[suite])),
      markers: true,
      detail: (step) => {
        const accuracy = evaluations.find((evaluation) => evaluation.step === step)?.[suite];
        if (!accuracy) return '';
        const interval = formatInterval(accuracy.low, accuracy.high, accuracy.items);
        return step === 0 && drawn.run.start !== undefined ? `${interval}, where it starts` : interval;
      },
    };
  });

/** Loss of a suite by evaluated step, for what has no right answers. A loss that is not finite is a gap. */
export const suiteLossCurve = (drawn: DrawnRun, suite: Suite): LineSeries =>
  cached(drawn, `${suite} loss`, () => {
    const line = pathOf(drawn.run).map((evaluation): Point => {
      const loss = suiteLoss(evaluation, suite);
      return { x: evaluation.step, y: Number.isFinite(loss) ? loss : null };
    });
    return {
      ...baseOf(drawn),
      line,
      markers: true,
      detail: (step) => {
        const loss = pointAt(line, step)?.y;
        return loss === null || loss === undefined ? '' : `perplexity ${formatParameter(Math.exp(loss))}`;
      },
    };
  });

/** Why a value is missing; a recorded run is JSON, where what is not finite has become null. */
function missing(value: number): string {
  if (Number.isFinite(value)) return 'skipped';
  return Math.abs(value) === Infinity ? 'infinite' : 'NaN';
}

/** Steps whose value is missing or whose update was left out, neighbours with the same reason together. */
export function breaksOf(steps: readonly StepMetrics[], key: 'loss' | 'gradientNorm'): readonly Break[] {
  const breaks: { from: number; to: number; short: string; skipped: boolean }[] = [];
  for (const { step, skipped, [key]: value } of steps) {
    if (Number.isFinite(value) && !skipped) continue;
    const short = missing(value);
    const last = breaks.at(-1);
    if (last?.to === step - 1 && last.short === short && last.skipped === skipped) last.to = step;
    else breaks.push({ from: step, to: step, short, skipped });
  }
  return breaks.map(({ from, to, short, skipped }) => {
    const plural = to > from ? 's' : '';
    const what = [...(short === 'skipped' ? [] : [short]), ...(skipped ? [`update${plural} skipped`] : [])].join(', ');
    return { from, to, short, reason: `step${plural} ${formatRange(from, to)}: ${what}` };
  });
}

/** What a step of GRPO says of its answers; `cutOff` is the share that did not end by itself. */
export type ReinforceKey = 'reward' | 'mixedGroups' | 'answerTokens' | 'cutOff' | 'entropy';

type StepKey = 'loss' | 'penalty' | 'gradientNorm' | 'learningRate' | 'tokensPerSecond' | ReinforceKey;

/** The objective of GRPO is no loss of a token, and is not drawn as one. */
function valueOf(step: StepMetrics, key: StepKey): number | undefined {
  if (key === 'cutOff') return step.ended === undefined ? undefined : 1 - step.ended;
  return key === 'loss' && step.reward !== undefined ? undefined : step[key];
}

/** One metric by step; what is not finite is a gap. */
export const stepPoints = (steps: readonly StepMetrics[], key: StepKey): readonly Point[] =>
  steps.map((step) => {
    const value = valueOf(step, key);
    return { x: step.step, y: value !== undefined && Number.isFinite(value) ? value : null };
  });

/** Training loss, smoothed over raw, with the held-out loss as rings. */
export const lossCurve = (drawn: DrawnRun, smoothing: number, scale: ScaleKind): LineSeries =>
  cached(drawn, `loss ${smoothing} ${scale}`, () => {
    const { steps, evaluations } = drawn.run;
    const raw = stepPoints(steps, 'loss');
    const heldOut = new Map(evaluations.map((evaluation) => [evaluation.step, evaluation.heldOutLoss]));
    return {
      ...baseOf(drawn),
      line: smooth(raw, smoothing, scale === 'log'),
      raw,
      rings: evaluations
        .filter((evaluation) => evaluation.step > 0 && drawn.run.config.reinforce === undefined)
        .map((evaluation) => ({ x: evaluation.step, y: Number.isFinite(evaluation.heldOutLoss) ? evaluation.heldOutLoss : null })),
      breaks: breaksOf(steps, 'loss'),
      detail: (step) => (heldOut.has(step) ? `held-out ${formatLoss(heldOut.get(step))}` : ''),
    };
  });

/** The penalty as it is added to the loss, unsmoothed: its level and its jumps are what one looks for. */
export const penaltyCurve = (drawn: DrawnRun): LineSeries =>
  cached(drawn, 'penalty', () => ({ ...baseOf(drawn), line: stepPoints(drawn.run.steps, 'penalty') }));

/** Gradient norm before clipping, smoothed over raw. */
export const gradientNormCurve = (drawn: DrawnRun, smoothing: number): LineSeries =>
  cached(drawn, `gradient norm ${smoothing}`, () => {
    const raw = stepPoints(drawn.run.steps, 'gradientNorm');
    return {
      ...baseOf(drawn),
      line: smooth(raw, smoothing, true),
      raw,
      breaks: breaksOf(drawn.run.steps, 'gradientNorm'),
      detail: (step) => rawDetail(raw, step, formatNorm),
    };
  });

/** Tokens a second, smoothed over raw. */
export const throughputCurve = (drawn: DrawnRun, smoothing: number): LineSeries =>
  cached(drawn, `throughput ${smoothing}`, () => {
    const raw = stepPoints(drawn.run.steps, 'tokensPerSecond');
    return { ...baseOf(drawn), line: smooth(raw, smoothing, false), raw, detail: (step) => rawDetail(raw, step, formatCount) };
  });

/** What GRPO says of its answers, smoothed over raw. */
export const reinforceCurve = (drawn: DrawnRun, key: ReinforceKey, smoothing: number, format: (value: number) => string): LineSeries =>
  cached(drawn, `${key} ${smoothing}`, () => {
    const raw = stepPoints(drawn.run.steps, key);
    return { ...baseOf(drawn), line: smooth(raw, smoothing, false), raw, detail: (step) => rawDetail(raw, step, format) };
  });

function rawDetail(raw: readonly Point[], step: number, format: (value: number) => string): string {
  const value = pointAt(raw, step)?.y;
  return value === undefined || value === null ? '' : `raw ${format(value)}`;
}

/** The learning rate so far. */
export const learningRateCurve = (drawn: DrawnRun): LineSeries =>
  cached(drawn, 'learning rate', () => ({ ...baseOf(drawn), line: stepPoints(drawn.run.steps, 'learningRate') }));

/** The learning rate as planned, for every step of the run. */
export function plannedCurve(config: RunConfig): readonly Point[] {
  return Array.from({ length: config.steps }, (_, index) => ({ x: index + 1, y: plannedLearningRate(config, index + 1) }));
}

/** The step axis of all figures: up to the end of the longest run, so that the empty part shows what is left. */
export function stepAxis(end: number, most: number): Axis {
  return { kind: 'linear', domain: [0, Math.max(1, end)], ticks: stepTicks(end, most), format: formatCount };
}

const percentTick = (value: number): string => String(Math.round(value * 100));

/** In-domain accuracy is always read against 0 to 100. */
export const inDomainAxis: Axis = { kind: 'linear', domain: [0, 1], ticks: [0, 0.25, 0.5, 0.75, 1], format: percentTick };

/** Out-of-domain accuracy may start above zero, in steps of ten below everything drawn. */
export function outOfDomainAxis(lowest: number): Axis {
  const start = Math.max(0, Math.min(0.8, Math.floor(lowest * 10 + 1e-9) / 10));
  return {
    kind: 'linear',
    domain: [start, 1],
    ticks: linearTicks(start, 1, start >= 0.5 ? 6 : 5).map((tick) => Math.min(1, tick)),
    format: percentTick,
  };
}

function* valuesOf(series: readonly LineSeries[]): Generator<number> {
  for (const one of series)
    for (const points of [one.line, one.raw ?? [], one.rings ?? []]) for (const { y } of points) if (y !== null) yield y;
}

/** An axis around everything that the series draw. */
export function valueAxis(series: readonly LineSeries[], kind: ScaleKind, most: number, format: (value: number) => string): Axis {
  const values = [...valuesOf(series)];
  return { kind, format, ...(kind === 'log' ? logDomain(values, most) : linearDomain(values, true, most)) };
}

/** An axis around losses, not from zero: their changes are small against their size. */
export const suiteLossAxis = (series: readonly LineSeries[]): Axis => ({ kind: 'linear', format: formatParameter, ...linearDomain([...valuesOf(series)], false, 5) });

/** A tick of a logarithmic axis, as short as it can be: 0.03, 1, 10; 1e-4 below 0.001. */
export const powerTick = (value: number): string => (value < 0.001 ? value.toExponential(0) : String(value));

/** "200" or, when live evaluations use fewer items than the last, "100–200". */
export function itemsText(runs: readonly LabRun[], suite: Suite): string {
  const counts = runs.flatMap((run) => run.evaluations.map((evaluation) => evaluation[suite].items));
  if (counts.length === 0) return '';
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return formatRange(least, most);
}
