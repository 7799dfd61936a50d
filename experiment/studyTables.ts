/** @file The tables of the study as Markdown, from its results. Accuracies are percent: mean and range over seeds. */
import { hasRange, keptAt, spreadOf, verdict, type Kept, type Spread } from '../src/app/compare/statistics.ts';
import { methodInfo } from '../src/methods/registry.ts';
import type { Agreement } from './studyAgree.ts';
import { GRID, judgedSettings, labelOf, LEVELS, nameOf, SEEDS } from './studyPlan.ts';
import type { Judged } from './studyPlan.ts';
import type { Measures, Point, RunResult, StudyResults, SuiteResult } from './studyResults.ts';
import { measuredOf, outOfDomainAt } from './studyResults.ts';

/** A setting that a method is judged at, and its runs by seed. */
export interface Line extends Judged {
  readonly label: string;
  readonly runs: readonly RunResult[];
}

export function linesOf({ runs }: StudyResults): Line[] {
  return judgedSettings(runs).flatMap((judged) => {
    const own = SEEDS.flatMap((seed) => runs.find(({ name }) => name === nameOf({ ...judged.setting, seed })) ?? []);
    return own.length > 0 ? [{ ...judged, label: labelOf(judged.setting), runs: own }] : [];
  });
}

/** "LoRA RPSFT": a line without its numbers. */
export const shortLabel = ({ setting: { method, lora } }: Line): string => `${lora ? 'LoRA ' : ''}${methodInfo(method).name}`;

const share = ({ correct, items }: SuiteResult): number => correct / items;

const percent = (value: number): string => (100 * value).toFixed(1);

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const range = ({ mean, low, high, count }: Spread, show: (value: number) => string): string => (count > 1 ? `${show(mean)} (${show(low)}–${show(high)})` : show(mean));

/** Every setting of the grid on the first seed; in bold what it is judged by, where a method is judged at it. */
export function searchTable(results: StudyResults): string {
  const judged = new Map(judgedSettings(results.runs).map(({ setting, levels }) => [labelOf(setting), levels]));
  const bold = (text: string, isBold: boolean): string => (isBold ? `**${text}**` : text);
  const rows = GRID.toSorted((a, b) => labelOf(a).localeCompare(labelOf(b))).map((setting) => {
    const label = labelOf(setting);
    const run = results.runs.find(({ name }) => name === nameOf({ ...setting, seed: SEEDS[0] }));
    if (!run) return [label, ...Array.from({ length: LEVELS.length + 3 }, () => 'not run')];
    const end = run.points.at(-1)!;
    const levels = judged.get(label);
    const at = LEVELS.map((level) => {
      const value = outOfDomainAt(run, level);
      return value === undefined ? 'not reached' : bold(percent(value), levels?.includes(level) ?? false);
    });
    return [label, ...at, bold(percent(share(end.heldOut)), levels?.length === 0), percent(share(end.outOfDomain)), run.source];
  });
  return table(['setting, seed 1', ...LEVELS.map((level) => `OOD at ID ${100 * level}%`), 'end ID', 'end OOD', 'run by'], rows);
}

/** What methods keep where they first reach a level, each at its setting for that level, the best first, and how RPSFT compares. */
export function keptTable(lines: readonly Line[], level: number): string {
  const there = lines
    .filter(({ levels }) => levels.includes(level))
    .map((line) => ({ line, kept: keptAt(line.runs.map(measuredOf), level) }))
    .toSorted((a, b) => b.kept.value!.mean - a.kept.value!.mean);
  const rpsft = there.find(({ line }) => shortLabel(line) === 'RPSFT');
  const rows = there.map(({ line, kept }) => {
    const ends = (suite: 'heldOut' | 'outOfDomain'): string => range(spreadOf(line.runs.map(({ points: path }) => share(path.at(-1)![suite]))), percent);
    const against = !rpsft || rpsft.line === line ? '' : `${points(rpsft.kept.value!.mean - kept.value!.mean)}, ${saidOf(rpsft.kept, kept)}`;
    return [line.label, `${kept.reached} of ${kept.of}`, range(kept.value!, percent), against, ends('heldOut'), ends('outOfDomain'), sourcesOf(line)];
  });
  const missing = [...new Set(lines.map(shortLabel))].filter((name) => !there.some(({ line }) => shortLabel(line) === name));
  const note = missing.length > 0 ? `\n\nWith no setting there on seed 1: ${missing.join(', ')}.` : '';
  return table(['method at its setting for the level', 'seeds there', `OOD at ID ${100 * level}%`, 'RPSFT less this', 'end ID', 'end OOD', 'run by'], rows) + note;
}

const saidOf = (rpsft: Kept, other: Kept): string => (!hasRange(rpsft) || !hasRange(other) ? 'not every seed' : verdict(rpsft, other) ? 'apart' : 'overlap');

const sourcesOf = ({ runs }: Line): string => [...new Set(runs.map(({ source }) => source))].join(', ');

const points = (difference: number): string => `${difference >= 0 ? '+' : '−'}${percent(Math.abs(difference))}`;

type Measured = RunResult & { readonly measures: NonNullable<RunResult['measures']> };

const measuredRuns = ({ runs }: Line): Measured[] => runs.filter((run): run is Measured => run.measures !== undefined);

/** A row of every line that has measures: mean and range over its seeds. */
function measuresTable(lines: readonly Line[], columns: readonly (readonly [head: string, value: (run: Measured) => number, show: (value: number) => string])[]): string {
  const rows = lines.flatMap((line) => {
    const runs = measuredRuns(line);
    return runs.length > 0 ? [[line.label, `${runs.length}`, ...columns.map(([, value, show]) => range(spreadOf(runs.map(value)), show))]] : [];
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

const SUITES = { heldOut: 'held-out, in-domain', outOfDomain: 'out-of-domain' } as const;

export function fisherTable({ fisher }: StudyResults): string {
  const rows = fisher.map(({ suite, fraction, examples, chance, top, random, tail, source }) => [
    `${SUITES[suite]}, ${examples}`, `${100 * fraction}%`, percent(chance), ...[top, random, tail].map((value) => `${percent(value)} (${(value / chance).toFixed(2)} ×)`), source,
  ]);
  return table(['examples', 'k', 'chance, %', 'top-k block, %', 'random block, %', 'tail block, %', 'by'], rows);
}

const scientific = (value: number): string => (value === 0 ? '0' : value.toExponential(1));

export const agreementTable = ({ curves }: Agreement): string =>
  table(['run', 'steps', 'loss', 'cross-entropy', 'penalty', 'gradient norm'], curves.map(({ name, steps, loss, crossEntropy, penalty, gradientNorm }) => [name, `${steps}`, ...[loss, crossEntropy, penalty, gradientNorm].map(scientific)]));

export const measuresAgreementTable = ({ measures }: Agreement): string =>
  table(['weights', 'drift', 'representations', 'outputs', 'right answers after a restore'], measures.map(({ name, drift, representation, output, restoredItems }) => [name, ...[drift, representation, output].map(scientific), `${restoredItems}`]));

export const fisherAgreementTable = ({ fisher }: Agreement): string =>
  table(['examples', 'k', 'Fisher shares'], fisher.map(({ suite, fraction, shares }) => [SUITES[suite], `${100 * fraction}%`, scientific(shares)]));
