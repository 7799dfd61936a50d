/**
 * @file Measurements on demand of what a run has done to the model: where the loss is sensitive, how far states and
 * predictions have moved, and whether an ability comes back with a part of the pretrained block. In slices, beside a run.
 */
import type { Example } from '../data/examples.ts';
import type { Decomposition, Lab, Measuring, OutputDrift, RestoredPart, TokenisedExample, WeightSet } from '../engine.ts';
import { pairedDifference, perplexityInterval } from '../evaluation/intervals.ts';
import type { ScoredItem, Scorer } from '../evaluation/scorer.ts';
import type { Turn } from '../gpu/turn.ts';
import { scoresOf } from './evaluating.ts';
import type { Estimated, EstimatedDivergences, Measure, ProbeReport, ProbeRequest, RestoredScore, RestoredWeights, RestoreRow, SuiteMeasures } from './protocol.ts';

/** Items of both suites, of which a restore takes the first. */
export interface ProbedSuites {
  readonly inDomain: { readonly examples: readonly Example[]; readonly measure: Measure };
  readonly outOfDomain: { readonly examples: readonly Example[]; readonly measure: Measure };
}

/** What a measurement is made on. */
export interface ProbeMaterial {
  readonly lab: Lab;
  /** Of the run; they do not change meanwhile. */
  readonly weights: WeightSet;
  readonly step: number;
  readonly dataset: string;
  /** The examples of the request; none for a restore. */
  readonly examples: readonly TokenisedExample[];
  readonly suites: ProbedSuites;
  readonly scorer: (weights: WeightSet) => Scorer;
  /** The bases of the run's k and layers, for as long as the work takes. */
  readonly withBases: <T>(work: (bases: Decomposition) => Promise<T>, onProgress: (done: number, total: number) => void) => Promise<T>;
}

type Unit = 'parts' | 'items' | 'matrices';
type Report = (done: number, total: number, unit: Unit) => void;

/** Rows of a forward pass. */
const ROWS = 8;

/** The measurements, one at a time. */
export class Probing {
  #going: AbortController | undefined;

  /** @throws when one is going on, when it was cancelled, or when the examples do not fit the measurement */
  async measure(request: ProbeRequest, prepare: (work: (material: ProbeMaterial) => Promise<ProbeReport>) => Promise<ProbeReport>, turn: Turn, report: Report): Promise<ProbeReport> {
    if (this.#going) throw new Error('A measurement is going on. Cancel it, or wait for it.');
    const going = (this.#going = new AbortController());
    try {
      return await prepare(async (material) => ({ ...(await probe(request, material, { turn, signal: going.signal }, report)), at: new Date().toISOString() }));
    } finally {
      this.#going = undefined;
    }
  }

  cancel(): void {
    this.#going?.abort(new Error('The measurement was stopped.'));
  }
}

interface Slicing {
  readonly turn: Turn;
  readonly signal: AbortSignal;
}

/** A report before it is dated. */
type Found = ProbeReport extends infer Each ? (Each extends ProbeReport ? Omit<Each, 'at'> : never) : never;

function probe(request: ProbeRequest, material: ProbeMaterial, slicing: Slicing, report: Report): Promise<Found> {
  const measuring: Measuring = { ...slicing, onProgress: (done, total) => report(done, total, 'parts') };
  switch (request.kind) {
    case 'fisher':
      return inBases(material, slicing, report, (bases) => measureFisher(request, material, bases, measuring));
    case 'representation':
      return measureStates(request, material, measuring);
    case 'output':
      return measureOutputs(request, material, measuring);
    case 'restore':
      return inBases(material, slicing, report, (bases) => measureRestored(request, material, bases, slicing, report));
  }
}

function inBases<T>({ withBases }: ProbeMaterial, { signal }: Slicing, report: Report, work: (bases: Decomposition) => Promise<T>): Promise<T> {
  return withBases(work, (done, total) => {
    signal.throwIfAborted();
    report(done, total, 'matrices');
  });
}

async function measureFisher(request: Extract<ProbeRequest, { kind: 'fisher' }>, { lab, weights, step, dataset, examples }: ProbeMaterial, bases: Decomposition, measuring: Measuring): Promise<Found> {
  const against = request.tail ? (['random', 'tail'] as const) : (['random'] as const);
  const measured = await lab.fisher(request.of === 'base' ? lab.model.weights : weights, bases, examples, { ...measuring, against });
  const { matrices, whole, cost } = measured;
  return { request, step: request.of === 'base' ? 0 : step, dataset, examples: measured.examples, seconds: cost.seconds, fisher: { matrices, whole }, tokens: cost.tokens };
}

async function measureStates(request: Extract<ProbeRequest, { kind: 'representation' }>, { lab, weights, step, dataset, examples }: ProbeMaterial, measuring: Measuring): Promise<Found> {
  const { states, tokens, cost } = await lab.representationDrift(weights, examples, shapeOf(examples), measuring);
  return { request, step, dataset, examples: examplesWithin(examples, tokens), seconds: cost.seconds, states, tokens };
}

async function measureOutputs(request: Extract<ProbeRequest, { kind: 'output' }>, { lab, weights, step, dataset, examples }: ProbeMaterial, measuring: Measuring): Promise<Found> {
  const { cost, ...drift } = await lab.outputDrift(weights, examples, shapeOf(examples), measuring);
  return { request, step, dataset, examples: examples.length, seconds: cost.seconds, divergences: estimatedDivergences(drift), tokens: drift.tokens };
}

/** The divergences with intervals over examples. */
export function estimatedDivergences(drift: Omit<OutputDrift, 'cost'>): EstimatedDivergences {
  const weighed = drift.examples.map(({ tokens }) => tokens);
  const of = (key: keyof EstimatedDivergences): Estimated => {
    // A mean over tokens of resampled examples, as the logarithm of a perplexity is.
    const { low, high } = perplexityInterval(drift.examples.map((example) => example[key] * example.tokens), weighed);
    return { mean: drift[key], low: Math.log(low), high: Math.log(high) };
  };
  return { baseToTuned: of('baseToTuned'), tunedToBase: of('tunedToBase'), jensenShannon: of('jensenShannon') };
}

/** Scores one set of weights after the other, so that one restored copy is there at a time. */
async function measureRestored(request: Extract<ProbeRequest, { kind: 'restore' }>, material: ProbeMaterial, bases: Decomposition, slicing: Slicing, report: Report): Promise<Found> {
  const { lab, weights, suites, step, dataset } = material;
  const parts: readonly RestoredPart[] = bases.degenerate.length > 0 ? ['block'] : ['values', 'rotation', 'block'];
  const cut = ({ examples }: ProbedSuites['inDomain']): readonly Example[] => (request.items > 0 ? examples.slice(0, request.items) : examples);
  const [inDomain, outOfDomain] = [cut(suites.inDomain), cut(suites.outOfDomain)];
  const items = inDomain.length + outOfDomain.length;
  if (inDomain.length === 0 || outOfDomain.length === 0) throw new Error('A restore is judged on the held-out and the out-of-domain data, and one of them has no items.');
  const total = (2 + parts.length) * items;
  let milliseconds = 0;
  const turn: Turn = (work) =>
    slicing.turn(async () => {
      slicing.signal.throwIfAborted();
      const started = performance.now();
      try {
        return await work();
      } finally {
        milliseconds += performance.now() - started;
      }
    });
  let done = 0;
  const score = async (set: WeightSet): Promise<Scored> => {
    const scorer = material.scorer(set);
    const before = done;
    try {
      const own = await scorer.score(inDomain, suites.inDomain.measure, turn, (count) => report(before + count, total, 'items'));
      const other = await scorer.score(outOfDomain, suites.outOfDomain.measure, turn, (count) => report(before + own.length + count, total, 'items'));
      done += items;
      return { inDomain: own, outOfDomain: other };
    } finally {
      scorer.destroy();
    }
  };
  const scored = new Map<RestoredWeights, Scored>([
    ['base', await score(lab.model.weights)],
    ['tuned', await score(weights)],
  ]);
  for (const part of parts) {
    const restored = await lab.restore(weights, bases, part, { turn, signal: slicing.signal });
    try {
      scored.set(part, await score(restored.weights));
    } finally {
      lab.release(restored.weights);
    }
  }
  const measures: SuiteMeasures = { inDomain: suites.inDomain.measure, outOfDomain: suites.outOfDomain.measure };
  const tuned = scored.get('tuned')!;
  const row = (set: RestoredWeights, own: Scored, suite: keyof Scored): RestoredScore => restoredScore(measures[suite], own[suite], set === 'tuned' ? undefined : tuned[suite]);
  const rows = [...scored].map(([set, own]): RestoreRow => ({ weights: set, inDomain: row(set, own, 'inDomain'), outOfDomain: row(set, own, 'outOfDomain') }));
  return { request, step, dataset, examples: items, seconds: milliseconds / 1000, measures, rows };
}

interface Scored {
  readonly inDomain: readonly ScoredItem[];
  readonly outOfDomain: readonly ScoredItem[];
}

function restoredScore(measure: Measure, own: readonly ScoredItem[], tuned: readonly ScoredItem[] | undefined): RestoredScore {
  const { score } = scoresOf(measure, own);
  if (measure === 'perplexity' || !tuned) return { score };
  const { mean, low, high } = pairedDifference(own.map((item) => item.score!), tuned.map((item) => item.score!));
  return { score, change: { mean, low, high } };
}

const shapeOf = (examples: readonly TokenisedExample[]): { readonly rows: number; readonly length: number } => ({
  rows: Math.min(ROWS, Math.max(1, examples.length)),
  length: examples.reduce((longest, { ids }) => Math.max(longest, ids.length), 1),
});

/** Examples that the first `tokens` tokens reach into. */
function examplesWithin(examples: readonly TokenisedExample[], tokens: number): number {
  let [count, left] = [0, tokens];
  for (; left > 0; count += 1) left -= examples[count]!.ids.length;
  return count;
}
