/** @file The tables of the study as Markdown, from its results. Accuracies are percent: mean and range over seeds. */
import { hasRange, keptAt, matchedLevels, meanPath, spreadOf, verdict, type Kept, type Spread } from '../src/app/compare/statistics.ts';
import { methodInfo } from '../src/methods/registry.ts';
import type { Agreement } from './studyAgree.ts';
import { CHOICE_LEVELS, chosenSettings, GRID, labelOf, nameOf, SEEDS } from './studyPlan.ts';
import type { Setting } from './studyPlan.ts';
import type { Measures, Point, RunResult, StudyResults, SuiteResult, Trained } from './studyResults.ts';
import { measuredOf, outOfDomainAt } from './studyResults.ts';

/** The runs of one setting by seed. */
interface Seeds {
  readonly label: string;
  readonly runs: readonly Trained[];
}

/** A setting that a method is judged at. */
export interface Line extends Seeds {
  readonly setting: Setting;
  readonly runs: readonly RunResult[];
}

/** In-domain accuracies at which methods are compared, beside shares of the best gain. */
const FIXED_LEVELS = [0.5, 0.7, 0.8] as const;

export function linesOf({ runs }: StudyResults): Line[] {
  return chosenSettings(runs).flatMap((setting) => {
    const own = SEEDS.flatMap((seed) => runs.find(({ name }) => name === nameOf({ ...setting, seed })) ?? []);
    return own.length > 0 ? [{ setting, label: labelOf(setting), runs: own }] : [];
  });
}

/** "LoRA RPSFT": a line without its numbers. */
export const shortLabel = ({ setting: { method, lora } }: Line): string => `${lora ? 'LoRA ' : ''}${methodInfo(method).name}`;

const share = ({ correct, items }: SuiteResult): number => correct / items;

const percent = (value: number): string => (100 * value).toFixed(1);

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const range = ({ mean, low, high, count }: Spread, show: (value: number) => string): string => (count > 1 ? `${show(mean)} (${show(low)}–${show(high)})` : show(mean));

function kept({ reached, of, value }: Kept): string {
  if (value === undefined) return 'not reached';
  return `${range(value, percent)}${reached < of ? `, ${reached} of ${of}` : ''}`;
}

const keptOf = ({ runs }: Seeds, level: number): Kept => keptAt(runs.map(measuredOf), level);

/** Every setting of the grid on the first seed; the ones that methods are judged at in bold. */
export function searchTable(results: StudyResults): string {
  const judged = new Set(chosenSettings(results.runs).map(labelOf));
  const rows = GRID.toSorted((a, b) => labelOf(a).localeCompare(labelOf(b))).flatMap((setting) => {
    const run = results.runs.find(({ name }) => name === nameOf({ ...setting, seed: SEEDS[0] }));
    if (!run) return [[labelOf(setting), ...Array.from({ length: 5 }, () => 'not run')]];
    const end = run.points.at(-1)!;
    const at = CHOICE_LEVELS.map((level) => outOfDomainAt(run, level)).map((value) => (value === undefined ? 'not reached' : percent(value)));
    const label = labelOf(setting);
    return [[judged.has(label) ? `**${label}**` : label, ...at, percent(share(end.heldOut)), percent(share(end.outOfDomain)), run.source]];
  });
  return table(['setting, seed 1', ...CHOICE_LEVELS.map((level) => `OOD at ID ${100 * level}%`), 'end ID', 'end OOD', 'run by'], rows);
}

/** At shares of the best end gain of `lines`, and at fixed levels. @param shown the settings to show, `lines` or others at the same levels */
export function matchedTable(lines: readonly Line[], shown: readonly Seeds[] = lines): string {
  const levels = matchedLevels(lines.map(({ runs }) => meanPath(runs.map(measuredOf))));
  const head = ['method', 'seeds', ...levels.map(({ share: part, inDomain }) => `${100 * part}% of the best gain: ID ${percent(inDomain)}`), ...FIXED_LEVELS.map((level) => `ID ${100 * level}`), 'end ID', 'end OOD'];
  const ends = ({ runs }: Seeds, suite: 'heldOut' | 'outOfDomain'): string => range(spreadOf(runs.map(({ points }) => share(points.at(-1)![suite]))), percent);
  const rows = shown.map((line) => [line.label, `${line.runs.length}`, ...[...levels.map(({ inDomain }) => inDomain), ...FIXED_LEVELS].map((level) => kept(keptOf(line, level))), ends(line, 'heldOut'), ends(line, 'outOfDomain')]);
  return table(head, rows);
}

/** What the ranges over seeds say of RPSFT and each other method at the fixed levels, in sentences no stronger than that. */
export function verdicts(lines: readonly Line[]): string {
  const rpsft = lines.find(({ setting: { method, lora } }) => method === 'rpsft' && !lora);
  if (!rpsft) return '- The setting that RPSFT is judged at is not chosen yet.';
  const others = lines.filter((line) => line !== rpsft);
  return FIXED_LEVELS.map((level) => {
    const own = keptOf(rpsft, level);
    const names = { up: [] as string[], down: [] as string[], open: [] as string[], missing: [] as string[], few: [] as string[] };
    for (const line of others) {
      const other = keptOf(line, level);
      if (!other.value || !own.value) names.missing.push(shortLabel(line));
      else if (!hasRange(own) || !hasRange(other)) names.few.push(`${shortLabel(line)} (${other.reached} of ${other.of}: ${percent(other.value.mean)})`);
      else names[verdict(own, other) ?? 'open'].push(`${shortLabel(line)} (${points(own.value.mean - other.value.mean)})`);
    }
    const parts = [
      ['RPSFT keeps more, ranges apart, than', names.up],
      ['less, ranges apart, than', names.down],
      ['ranges overlap with', names.open],
      ['not every seed gets there, or there is one only, so nothing sure of', names.few],
      ['never there:', names.missing],
    ] as const;
    return `- At ID ${100 * level} (RPSFT ${kept(own)}): ${parts.filter(([, list]) => list.length > 0).map(([words, list]) => `${words} ${list.join(', ')}`).join('; ')}.`;
  }).join('\n');
}

const points = (difference: number): string => `${difference >= 0 ? '+' : '−'}${percent(Math.abs(difference))}`;

type Measured = RunResult & { readonly measures: Measures };

const measuredRuns = ({ runs }: Line): Measured[] => runs.filter((run): run is Measured => run.measures !== undefined);

/** A row of every line that has measures: mean and range over its seeds. */
function measuresTable(lines: readonly Line[], columns: readonly (readonly [head: string, value: (run: Measured) => number, show: (value: number) => string])[]): string {
  const rows = lines.flatMap((line) => {
    const runs = measuredRuns(line);
    return runs.length > 0 ? [[shortLabel(line), `${runs.length}`, ...columns.map(([, value, show]) => range(spreadOf(runs.map(value)), show))]] : [];
  });
  return table(['method', 'seeds', ...columns.map(([head]) => head)], rows);
}

const fixed = (digits: number) => (value: number): string => value.toFixed(digits);

export function driftTable(lines: readonly Line[]): string {
  return measuresTable(lines, [
    ['left angle, °', ({ measures }) => measures.drift.leftAngle, fixed(1)],
    ['right angle, °', ({ measures }) => measures.drift.rightAngle, fixed(1)],
    ['largest angle, °', ({ measures }) => measures.drift.largestAngle, fixed(0)],
    ['vector alignment', ({ measures }) => measures.drift.vectorAlignment, fixed(3)],
    ['block, % of ‖ΔW‖²', ({ measures }) => measures.drift.blockShare, percent],
    ['its diagonal, %', ({ measures }) => measures.drift.blockDiagonal, fixed2Percent],
    ['singular values, %', ({ measures }) => measures.drift.singularValueChange, percent],
    ['‖ΔW‖/‖W₀‖', ({ measures }) => measures.drift.relativeChange, fixed(3)],
  ]);
}

const fixed2Percent = (value: number): string => (100 * value).toFixed(2);

export function representationTable(lines: readonly Line[]): string {
  return measuresTable(lines, [
    ['CKA', ({ measures }) => measures.representation.cka, fixed(3)],
    ['cosine', ({ measures }) => measures.representation.cosine, fixed(3)],
    ['PCA shift', ({ measures }) => measures.representation.pcaShift, fixed(2)],
    ['KL(base‖tuned)', ({ measures }) => measures.output.baseToTuned, fixed(2)],
    ['KL(tuned‖base)', ({ measures }) => measures.output.tunedToBase, fixed(2)],
    ['Jensen-Shannon', ({ measures }) => measures.output.jensenShannon, fixed(3)],
  ]);
}

/** Change of accuracy in points that putting a part back makes. */
export function restoreTable(lines: readonly Line[]): string {
  const change = (part: keyof Measures['restore'], suite: keyof Pick<Point, 'heldOut' | 'outOfDomain'>) => ({ measures, points: path }: Measured): number => {
    const back = measures.restore[part];
    return back ? share(back[suite]) - share(path.at(-1)![suite]) : Number.NaN;
  };
  const show = (value: number): string => (Number.isNaN(value) ? 'not measured' : points(value));
  const parts = ['block', 'values', 'rotation', 'random'] as const;
  return measuresTable(lines, parts.flatMap((part) => [
    [`${part}: OOD`, change(part, 'outOfDomain'), show] as const,
    [`${part}: ID`, change(part, 'heldOut'), show] as const,
  ]));
}

export function fisherTable({ fisher }: StudyResults): string {
  const suites = { heldOut: 'held-out, in-domain', outOfDomain: 'out-of-domain' };
  const rows = fisher.map(({ suite, fraction, examples, chance, top, random, tail, source }) => [
    `${suites[suite]}, ${examples}`, `${100 * fraction}%`, percent(chance), ...[top, random, tail].map((value) => `${percent(value)} (${(value / chance).toFixed(2)} ×)`), source,
  ]);
  return table(['examples', 'k', 'chance, %', 'top-k block, %', 'random block, %', 'tail block, %', 'by'], rows);
}

const scientific = (value: number): string => (value === 0 ? '0' : value.toExponential(1));

export const agreementTable = ({ curves }: Agreement): string =>
  table(['run', 'steps', 'loss', 'cross-entropy', 'penalty', 'gradient norm'], curves.map(({ name, steps, loss, crossEntropy, penalty, gradientNorm }) => [name, `${steps}`, ...[loss, crossEntropy, penalty, gradientNorm].map(scientific)]));

export const measuresAgreementTable = ({ measures }: Agreement): string =>
  table(['weights', 'drift', 'representations', 'right answers after a restore'], measures.map(({ name, drift, representation, restoredItems }) => [name, scientific(drift), scientific(representation), `${restoredItems}`]));
