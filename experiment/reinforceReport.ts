/** @file RL start in docs/study.md: what each run gained and kept, means over seeds, and the figure. */
import { spreadOf } from '../src/app/compare/statistics.ts';
import { methodInfo } from '../src/methods/registry.ts';
import type { ReinforcedRun, ReinforceResults } from './reinforce.ts';
import { STARTS } from './reinforce.ts';
import { document } from './studyFigure.ts';
import { labelOf } from './studyPlan.ts';
import type { Setting } from './studyPlan.ts';
import type { Point, RunResult, Source, StudyResults, SuiteResult } from './studyResults.ts';
import { outOfDomainAt } from './studyResults.ts';

type Suite = keyof Pick<Point, 'heldOut' | 'outOfDomain'>;

/** Steps whose mean stands for the beginning and the end of a run, and for a point of the figure. */
const WINDOW = 10;
const SOURCES: readonly Source[] = ['engine', 'twin'];

const share = ({ correct, items }: SuiteResult): number => correct / items;
const percent = (value: number): string => (100 * value).toFixed(1);
const signed = (value: number): string => `${value < 0 ? '−' : '+'}${percent(Math.abs(value))}`;
const mean = (values: readonly number[]): number => spreadOf(values).mean;

/** Mean and range of changes, in points. */
function range(values: readonly number[]): string {
  const { mean: middle, low, high } = spreadOf(values);
  return `${signed(middle)} (${signed(low)} to ${signed(high)})`;
}

const ends = <Each>(list: readonly Each[]): readonly [Each, Each] => [list[0]!, list.at(-1)!];
const change = ({ points }: ReinforcedRun, suite: Suite): number => {
  const [before, after] = ends(points);
  return share(after[suite]) - share(before[suite]);
};
const arrow = ({ points }: ReinforcedRun, suite: Suite): string => ends(points).map((point) => percent(share(point[suite]))).join(' → ');
/** Mean reward of each `WINDOW` steps. */
const rewards = ({ records }: ReinforcedRun): number[] => Array.from({ length: Math.floor(records.length / WINDOW) }, (_, i) => mean(records.slice(i * WINDOW, (i + 1) * WINDOW).map(({ reward }) => reward)));

/** The runs from a start by one source, if there are any. */
function groupsOf({ runs }: ReinforceResults): { readonly start: Setting; readonly source: Source; readonly runs: readonly ReinforcedRun[] }[] {
  return SOURCES.flatMap((source) =>
    STARTS.flatMap((start) => {
      const own = runs.filter((run) => run.source === source && labelOf(run) === labelOf(start)).toSorted((a, b) => a.seed - b.seed);
      return own.length > 0 ? [{ start, source, runs: own }] : [];
    }),
  );
}

/** @param study has the same runs fine-tuned on, where GRPO began instead */
export const reinforceText = (results: ReinforceResults, study: StudyResults): string => (results.runs.length > 0 ? `${facts(results)}\n\n${table(results, study.runs)}` : 'Not run yet.');

/** A row of every run, and one of the changes' mean and range where a start has several seeds. */
function table(results: ReinforceResults, fineTuned: readonly RunResult[]): string {
  const end = ({ points }: ReinforcedRun, suite: Suite): number => share(points.at(-1)![suite]);
  /** Out-of-domain accuracy of the run fine-tuned on, where it first is as far in-domain as GRPO ended. */
  const instead = (run: ReinforcedRun): number | undefined => {
    const same = fineTuned.find(({ name }) => name === run.name);
    return same && outOfDomainAt(same, end(run, 'heldOut'));
  };
  const rowOf = (run: ReinforcedRun): string[] => {
    const other = instead(run);
    return [labelOf(run), run.source, `${run.seed}`, `${run.fineTunedSteps}`, arrow(run, 'heldOut'), arrow(run, 'outOfDomain'), other === undefined ? 'not there' : percent(other), ends(rewards(run)).map((value) => value.toFixed(2)).join(' → '), `${run.seconds.toFixed(0)} s`];
  };
  const summaryOf = (runs: readonly ReinforcedRun[]): string[] => {
    const ahead = runs.flatMap((run) => {
      const other = instead(run);
      return other === undefined ? [] : [end(run, 'outOfDomain') - other];
    });
    const gains = (['heldOut', 'outOfDomain'] as const).map((suite) => range(runs.map((run) => change(run, suite))));
    return [labelOf(runs[0]!), runs[0]!.source, `all ${runs.length}`, '', ...gains, ahead.length === runs.length ? `GRPO ${range(ahead)}` : '', '', ''].map((cell) => cell && `**${cell}**`);
  };
  const rows = groupsOf(results).flatMap(({ runs }) => [...runs.map(rowOf), ...(runs.length > 1 ? [summaryOf(runs)] : [])]);
  const head = ['start', 'by', 'seed', 'steps to the start', 'in-domain, %', 'out-of-domain, %', 'fine-tuned on to there: out-of-domain, %', 'reward', 'time of GRPO'];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** What ran where. */
function facts({ runs, devices, date }: ReinforceResults): string {
  const by = SOURCES.flatMap((source) => {
    const count = runs.filter((run) => run.source === source).length;
    return count > 0 ? [`${count} by the ${source} (${devices[source]})`] : [];
  });
  return `${runs.length} runs, last on ${date}: ${by.join(', ')}.`;
}

const PANEL = { width: 200, height: 220, left: 40, top: 84, gap: 44 };
/** The ranges of the three panels are the same, so that a slope in one can be held against the next. */
const PANELS: readonly { readonly title: string; readonly values: (run: ReinforcedRun) => readonly (readonly [step: number, value: number])[] }[] = [
  { title: 'In-domain, %', values: ({ points }) => points.map(({ step, heldOut }) => [step, share(heldOut)]) },
  { title: 'Reward, %', values: (run) => rewards(run).map((value, i) => [(i + 0.5) * WINDOW, value]) },
  { title: 'Out-of-domain, %', values: ({ points }) => points.map(({ step, outOfDomain }) => [step, share(outOfDomain)]) },
];

/** In-domain accuracy, reward and out-of-domain accuracy over the steps of GRPO: means over seeds, with the range of who ran more of them; the other's are thin. */
export function drawReinforced(results: ReinforceResults): string {
  const groups = groupsOf(results);
  const [main] = SOURCES.toSorted((a, b) => results.runs.filter(({ source }) => source === b).length - results.runs.filter(({ source }) => source === a).length);
  const look = ({ start, source }: Pick<(typeof groups)[number], 'start' | 'source'>): string => `class="path s-${methodInfo(start.method).id}"${source === main ? '' : ' style="stroke-width:1.2" stroke-dasharray="3 2"'}`;
  const all = groups.flatMap(({ runs }) => runs.flatMap((run) => PANELS.flatMap(({ values }) => values(run))));
  const steps = Math.max(...all.map(([step]) => step));
  const [low, high] = [Math.floor(10 * Math.min(...all.map(([, value]) => value))) / 10, Math.ceil(10 * Math.max(...all.map(([, value]) => value))) / 10];
  const y = (value: number): string => (PANEL.top + ((high - value) / (high - low)) * PANEL.height).toFixed(1);
  const panels = PANELS.map(({ title, values }, index) => {
    const left = PANEL.left + index * (PANEL.width + PANEL.gap);
    const x = (step: number): string => (left + (step / steps) * PANEL.width).toFixed(1);
    const ticks = Array.from({ length: Math.round((high - low) * 10) + 1 }, (_, i) => low + i / 10);
    const rows = ticks.map((value) => `<path class="grid" d="M${left} ${y(value)}h${PANEL.width}"/>${index === 0 ? `<text x="${left - 8}" y="${Number(y(value)) + 4}" text-anchor="end">${(100 * value).toFixed(0)}</text>` : ''}`);
    const columns = [0, steps / 2, steps].map((step) => `<text x="${x(step)}" y="${PANEL.top + PANEL.height + 18}" text-anchor="middle">${step}</text>`);
    const drawn = groups.map(({ start, source, runs }) => {
      const places = values(runs[0]!).map(([step], i) => ({ step, ...spreadOf(runs.map((run) => values(run)[i]![1])) }));
      const line = (points: readonly string[]): string => points.join('L');
      const band = source === main && runs.length > 1 ? `<path class="f-${methodInfo(start.method).id}" opacity="0.18" d="M${line([...places.map((place) => `${x(place.step)},${y(place.high)}`), ...places.toReversed().map((place) => `${x(place.step)},${y(place.low)}`)])}Z"/>` : '';
      return `${band}<path ${look({ start, source })} d="M${line(places.map((place) => `${x(place.step)},${y(place.mean)}`))}"/>`;
    });
    return [`<text class="title" x="${left}" y="${PANEL.top - 12}">${title}</text>`, ...rows, ...columns, ...drawn].join('\n');
  });
  const legend = groups.map(({ start, source, runs }, i) => {
    const [left, middle] = [PANEL.left + (i % 2) * (PANEL.width + PANEL.gap), 16 + 20 * Math.floor(i / 2)];
    return `<path ${look({ start, source })} d="M${left} ${middle}h24"/><text x="${left + 30}" y="${middle + 4}">from ${methodInfo(start.method).name}, ${source}, ${runs.length === 1 ? `seed ${runs[0]!.seed}` : `${runs.length} seeds`}</text>`;
  });
  const width = PANEL.left + PANELS.length * (PANEL.width + PANEL.gap);
  return document(width, PANEL.top + PANEL.height + 44, 'In-domain accuracy, reward and out-of-domain accuracy over the steps of GRPO', [...legend, ...panels, `<text x="${PANEL.left}" y="${PANEL.top + PANEL.height + 36}">steps of GRPO</text>`].join('\n'));
}
