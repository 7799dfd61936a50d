/** @file Memory and time of a run before it starts, whether it fits, and what would make it fit. */
import type { Lab, RunSize, WayToFit as EngineWay } from '../engine.ts';
import { runSize } from '../engine.ts';
import { BatchPlan } from '../data/batches.ts';
import { partsOf } from '../methods/registry.ts';
import { effectiveRank } from '../spectral/decompose.ts';
import { settingsOf } from './learner.ts';
import type { Lock } from './lock.ts';
import type { Estimate, Fit, RunConfig, WayToFit } from './protocol.ts';
import type { RunMaterial } from './runs.ts';

const CATEGORIES = ['weights', 'pretrained', 'adapter', 'gradients', 'moments', 'activations', 'logits', 'bases', 'other'] as const;
const PROBE_STEPS = 3;

/** Seconds a token, by what decides them; a probe is made once for each. */
export type ProbeCache = Map<string, number>;

/** The size of a run as the engine plans it. */
function sizeOf({ lab, train }: RunMaterial, config: RunConfig): RunSize {
  if (config.reinforce) throw new RangeError('Memory and time of GRPO are not estimated.');
  const { shape } = new BatchPlan(train, { batchSize: config.batchSize / config.accumulation, seqLen: config.maxLength, seed: config.seed, padTokenId: lab.tokenizer.padTokenId, steps: config.steps * config.accumulation });
  return runSize(settingsOf(config, config.maxLength), { rows: shape.rows, length: config.maxLength }, lab.model.precision);
}

/** @param lock given when three steps may be run to know the time */
export async function estimateRun(material: RunMaterial, config: RunConfig, probes: ProbeCache, lock: Lock | undefined, warnings: readonly string[]): Promise<Estimate> {
  const { lab, train, heldOut, outOfDomain, heldOutTokens, outOfDomainTokens } = material;
  const { bytes } = await lab.plan(sizeOf(material, config));
  const matrices = lab.model.layout.matrixBatches();
  const ranks = matrices.map((batch) => effectiveRank(batch, config.rankFraction));
  const degenerate = matrices.filter((batch, i) => ranks[i]! >= Math.min(batch.rows, batch.columns)).flatMap(({ names }) => names);
  const tokensPerStep = (config.batchSize * material.trainTokens) / Math.max(1, train.length);
  const key = [partsOf(config).objective, config.throughScale, config.batchSize, config.accumulation, config.maxLength, config.recompute, JSON.stringify(config.lora), material.datasetName, train.length].join(' ');
  if (lock && !probes.has(key)) probes.set(key, await lock.run(() => probe(material, config)));
  const secondsPerToken = probes.get(key);
  return {
    bytes: CATEGORIES.map((category) => ({ category, bytes: bytes.get(category) ?? 0 })).filter((entry) => entry.bytes > 0),
    tokensPerStep,
    epochs: (config.steps * config.batchSize) / train.length,
    rank: { least: Math.min(...ranks), most: Math.max(...ranks), degenerate },
    warnings,
    ...(secondsPerToken === undefined ? {} : { seconds: secondsPerToken * (config.steps * tokensPerStep + evaluatedTokens()) }),
  };

  /** Tokens of all evaluations; a forward pass costs a third of a step. */
  function evaluatedTokens(): number {
    const full = heldOutTokens + outOfDomainTokens;
    const share = ({ examples }: RunMaterial['heldOut']): number => Math.min(config.evaluationItems, examples.length) / Math.max(1, examples.length);
    const live = share(heldOut) * heldOutTokens + share(outOfDomain) * outOfDomainTokens;
    return (2 * full + Math.floor(config.steps / config.evaluateEvery) * live) / 3;
  }
}

/** Allocates what a run would need, touches it and frees it; where it does not fit, what would make it fit. */
export async function fitRun(material: RunMaterial, config: RunConfig): Promise<Fit> {
  const { lab } = material;
  const size = sizeOf(material, config);
  const plan = await lab.plan(size);
  const trial = await lab.trial(plan);
  if (trial.fits) return { fits: true };
  const ways = await lab.waysToFit(size, trial.stoppedAt);
  return { fits: false, needed: plan.total, stoppedAt: trial.stoppedAt, message: trial.message, ways: ways.map((way) => asChange(way, config, lab)) };
}

/** A way to fit in the page's words and settings. */
function asChange({ change, size, saves, total }: EngineWay, config: RunConfig, lab: Lab): WayToFit {
  const rest = { change, saves, total, precision: lab.model.precision, config };
  switch (change) {
    case 'recompute':
      return { ...rest, label: 'Recompute activations', cost: 'steps slower', config: { ...config, recompute: true } };
    case 'micro-batch':
      return { ...rest, label: 'Micro-batches of one row', cost: 'steps slower', config: { ...config, accumulation: config.batchSize } };
    case 'lora': {
      const { rank, targets } = size.lora!;
      return { ...rest, label: `Use LoRA, r ${rank}`, cost: 'trains adapters, not all weights', config: { ...config, lora: { rank, alpha: 2 * rank, targets, rsLora: false } } };
    }
    case 'half':
      return { ...rest, label: `Keep the pretrained weights in ${size.precision}`, cost: 'they are rounded unless the files hold them so', precision: size.precision };
    case 'shorter':
      return { ...rest, label: `Rows of ${size.batch.length} tokens`, cost: 'longer rows are cut', config: { ...config, maxLength: size.batch.length } };
    case 'smaller-k':
      return { ...rest, label: `k of ${Math.round(100 * size.rankFraction)}%`, cost: 'the penalty holds less', config: { ...config, rankFraction: size.rankFraction } };
  }
}

/** Seconds a token of three steps of the objective without a penalty, compilation left out. */
async function probe({ lab, train }: RunMaterial, config: RunConfig): Promise<number> {
  const { penalty: _without, ...rest } = config;
  const fineTune = await lab.fineTune(settingsOf({ ...rest, method: partsOf(config).objective, lambda: 0 }, config.maxLength), train);
  try {
    fineTune.submitStep();
    await fineTune.readMetrics();
    const started = performance.now();
    let tokens = 0;
    for (let step = 0; step < PROBE_STEPS; step++) tokens += fineTune.submitStep().tokens;
    await fineTune.readMetrics();
    return (performance.now() - started) / 1000 / tokens;
  } finally {
    fineTune.destroy();
  }
}
