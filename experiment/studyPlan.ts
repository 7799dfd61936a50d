/** @file What `npm run study` runs: a grid for every method on one seed, the settings each method is judged at, and those on more seeds. */
import type { FineTuneSettings, MethodId } from '../src/engine.ts';
import { methodInfo } from '../src/methods/registry.ts';
import type { RunResult } from './studyResults.ts';
import { outOfDomainAt } from './studyResults.ts';

/** What a run is made of, besides what all runs share. */
export interface Setting {
  readonly method: MethodId;
  readonly lora: boolean;
  readonly learningRate: number;
  /** 0 where nothing holds the weights. */
  readonly lambda: number;
  /** Meaningless, and left at the registry's default, where the method holds no directions. */
  readonly rankFraction: number;
  readonly beta: number;
}

export interface PlannedRun extends Setting {
  readonly seed: number;
}

export const STEPS = 400;
/** Tokens of a packed row. Every row of the demo data fits. */
export const LENGTH = 64;
export const EVALUATE_EVERY = 40;
/** Rows of an evaluation batch. */
export const EVALUATION_ROWS = 24;
/** The grid runs on the first. */
export const SEEDS = [1, 2, 3] as const;
/** k at which drift is measured and parts are restored, whatever k a method holds. */
export const MEASURED_FRACTION = 0.5;
export const FISHER_FRACTIONS = [0.2, 0.5] as const;
/** Examples of each suite whose gradients Fisher alignment is taken from. */
export const FISHER_EXAMPLES = 200;

/** `count` items of a list, spread over it so that all groups of a suite are among them. */
export function everyNth<Item>(items: readonly Item[], count: number): readonly Item[] {
  const stride = Math.max(1, Math.floor(items.length / count));
  return items.filter((_, i) => i % stride === 0).slice(0, count);
}

const LORA = { rank: 8, alpha: 16, rsLora: false, targets: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] } as const;

const setting = (method: MethodId, learningRate: number, given: Partial<Omit<Setting, 'method' | 'learningRate'>> = {}): Setting => ({ method, lora: false, learningRate, lambda: 0, rankFraction: 0.5, beta: 0.1, ...given });

/** Settings that are searched on the first seed. The first of a method is what the pilot study of the built-in model found. */
export const GRID: readonly Setting[] = [
  setting('rpsft', 5e-4, { lambda: 10 }),
  setting('sft', 3e-4),
  setting('l2sp', 5e-4, { lambda: 0.001 }),
  setting('two-sided-rpsft', 5e-4, { lambda: 0.003, rankFraction: 0.2 }),
  setting('kl-sft', 5e-4, { beta: 0.1 }),
  setting('iw-sft', 3e-4),
  setting('dft', 5e-4),
  setting('sft', 1e-3, { lora: true }),
  setting('rpsft', 1e-3, { lora: true, lambda: 10 }),
  setting('sft', 5e-4),
  setting('sft', 2e-4),
  setting('l2sp', 5e-4, { lambda: 0.003 }),
  setting('two-sided-rpsft', 5e-4, { lambda: 0.01, rankFraction: 0.2 }),
  setting('rpsft', 3e-4, { lambda: 10 }),
  setting('rpsft', 5e-4, { lambda: 30 }),
  setting('kl-sft', 5e-4, { beta: 0.02 }),
  setting('iw-sft', 2e-4),
  setting('sft', 5e-4, { lora: true }),
  setting('rpsft', 1e-3, { lambda: 10 }),
  setting('rpsft', 7e-4, { lambda: 10 }),
  setting('sft', 2.5e-4),
  setting('l2sp', 1e-3, { lambda: 0.003 }),
  setting('two-sided-rpsft', 1e-3, { lambda: 0.01, rankFraction: 0.2 }),
  setting('kl-sft', 3e-4, { beta: 0.02 }),
  setting('iw-sft', 2.5e-4),
  setting('dft', 1e-3),
  setting('dft', 2e-4),
  setting('sft', 2e-3, { lora: true }),
  setting('rpsft', 2e-3, { lora: true, lambda: 10 }),
  setting('rpsft', 2e-3, { lora: true, lambda: 1 }),
];

/** Run at the settings RPSFT is judged at, since they show what of its effect is owed to the directions it holds. */
const CONTROLS = ['random-basis', 'tail-basis', 'projection'] as const;

/** The chosen settings run on further seeds in this order, the most important first. */
const LINES: readonly (readonly [method: MethodId, lora: boolean])[] = [
  ['rpsft', false], ['sft', false], ['l2sp', false], ['two-sided-rpsft', false], ['random-basis', false], ['tail-basis', false],
  ['sft', true], ['kl-sft', false], ['iw-sft', false], ['rpsft', true], ['projection', false], ['dft', false],
];

/** A setting of every kind of run: the first of each method's grid, and RPSFT's first for the controls. */
export function firstOfEach(): Setting[] {
  const first = (method: MethodId, lora: boolean): Setting => GRID.find((each) => each.method === method && each.lora === lora)!;
  return LINES.map(([method, lora]) => {
    const control = CONTROLS.find((name) => name === method);
    return control ? asControl(control, first('rpsft', false)) : first(method, lora);
  });
}

const asControl = (method: (typeof CONTROLS)[number], judged: Setting): Setting => ({ ...judged, method, lambda: method === 'projection' ? 0 : judged.lambda });

/** In-domain accuracies at which methods are compared. */
export const LEVELS = [0.5, 0.65, 0.75] as const;

/** A setting that a method is judged at. */
export interface Judged {
  readonly setting: Setting;
  /** The levels at which it stands for its method; none where no setting of the method reaches any, and this one ends highest in-domain. */
  readonly levels: readonly number[];
}

/** For each level the setting of a method that keeps most out-of-domain where it first reaches it on the first seed. None while runs are missing. */
function judgedOf(runs: readonly RunResult[], method: MethodId, lora: boolean): Judged[] {
  const control = CONTROLS.find((name) => name === method);
  if (control) return judgedOf(runs, 'rpsft', false).map(({ setting: held, levels }) => ({ setting: asControl(control, held), levels }));
  const grid = GRID.filter((each) => each.method === method && each.lora === lora);
  const searched = grid.flatMap((each) => {
    const run = runs.find(({ name }) => name === nameOf({ ...each, seed: SEEDS[0] }));
    return run ? [{ setting: each, run }] : [];
  });
  if (searched.length < grid.length) return [];
  const best = (value: (run: RunResult) => number): Setting => searched.toSorted((a, b) => value(b.run) - value(a.run))[0]!.setting;
  const reached = LEVELS.filter((level) => searched.some(({ run }) => outOfDomainAt(run, level) !== undefined));
  if (reached.length === 0) return [{ setting: best(({ points }) => points.at(-1)!.heldOut.correct), levels: [] }];
  const chosen = new Map<Setting, number[]>();
  for (const level of reached) {
    const choice = best((run) => outOfDomainAt(run, level) ?? -1);
    chosen.set(choice, [...(chosen.get(choice) ?? []), level]);
  }
  return [...chosen].map(([judged, levels]) => ({ setting: judged, levels }));
}

/** The settings that methods are judged at, as far as they are known. */
export const judgedSettings = (runs: readonly RunResult[]): Judged[] => LINES.flatMap(([method, lora]) => judgedOf(runs, method, lora));

/** The runs of these settings. */
export const judgedRuns = (runs: readonly RunResult[]): PlannedRun[] => judgedSettings(runs).flatMap(({ setting: judged }) => SEEDS.map((seed) => ({ ...judged, seed })));

/** The next run that `runs` does not have: first the grid, then the settings it chose. */
export function nextRun(runs: readonly RunResult[]): PlannedRun | undefined {
  const isMissing = (planned: PlannedRun): boolean => !runs.some(({ name }) => name === nameOf(planned));
  return GRID.map((each): PlannedRun => ({ ...each, seed: SEEDS[0] })).find(isMissing) ?? judgedRuns(runs).find(isMissing);
}

/** Name of a run in the results, and the identity by which a finished one is not run again. */
export function nameOf(run: PlannedRun): string {
  return `${labelOf(run)} seed ${run.seed}`;
}

/** A setting in the words of the tables: "RPSFT, lr 0.0005, λ 10, k 50%". */
export function labelOf({ method, lora, learningRate, lambda, rankFraction, beta }: Setting): string {
  const { name, holds, objective } = methodInfo(method);
  const parts = [`${lora ? 'LoRA ' : ''}${name}`, `lr ${learningRate}`, lambda > 0 && `λ ${lambda}`, holds && `k ${100 * rankFraction}%`, objective === 'kl-sft' && `β ${beta}`];
  return parts.filter(Boolean).join(', ');
}

export const settingsOf = ({ method, lora, learningRate, lambda, rankFraction, beta, seed }: PlannedRun, steps = STEPS): FineTuneSettings => ({
  method,
  lambda,
  rankFraction,
  beta,
  ...(lora ? { lora: LORA } : {}),
  optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: 1 },
  schedule: { kind: 'constant', learningRate, warmupSteps: 20, steps },
  batchSize: 16,
  accumulation: 1,
  length: LENGTH,
  seed,
});
