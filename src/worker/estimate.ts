/** @file Memory and time of a run before it starts. */
import { estimateBytes } from '../engine.ts';
import { BatchPlan } from '../data/batches.ts';
import { effectiveRank } from '../spectral/decompose.ts';
import type { Lock } from './lock.ts';
import type { Estimate, RunConfig } from './protocol.ts';
import type { RunMaterial } from './runs.ts';
import { settingsOf } from './runs.ts';

const CATEGORIES = ['weights', 'pretrained', 'gradients', 'moments', 'activations', 'logits', 'bases'] as const;
const PROBE_STEPS = 3;

/** Seconds a token, by what decides them; a probe is made once for each. */
export type ProbeCache = Map<string, number>;

/** @param lock given when three steps may be run to know the time */
export async function estimateRun(material: RunMaterial, config: RunConfig, probes: ProbeCache, lock: Lock | undefined): Promise<Estimate> {
  const { lab, train, heldOut, outOfDomain, heldOutTokens, outOfDomainTokens } = material;
  const settings = settingsOf(config, config.maxLength);
  const { shape } = new BatchPlan(train, { batchSize: config.batchSize / config.accumulation, seqLen: config.maxLength, seed: config.seed, padTokenId: lab.tokenizer.padTokenId, steps: config.steps * config.accumulation });
  const bytes = estimateBytes(lab, { rows: shape.rows, length: config.maxLength }, settings);
  const matrices = lab.model.layout.matrixBatches();
  const ranks = matrices.map((batch) => effectiveRank(batch, config.rankFraction));
  const degenerate = matrices.filter((batch, i) => ranks[i]! >= Math.min(batch.rows, batch.columns)).flatMap(({ names }) => names);
  const meanTokens = (examples: RunMaterial['train']): number => examples.reduce((sum, { ids }) => sum + ids.length, 0) / Math.max(1, examples.length);
  const tokensPerStep = config.batchSize * meanTokens(train);
  const key = [config.batchSize, config.accumulation, config.maxLength, material.datasetName, train.length].join(' ');
  if (lock && !probes.has(key)) probes.set(key, await lock.run(() => probe(material, config)));
  const secondsPerToken = probes.get(key);
  return {
    bytes: CATEGORIES.map((category) => ({ category, bytes: bytes.get(category) ?? 0 })).filter((entry) => entry.bytes > 0),
    tokensPerStep,
    epochs: (config.steps * config.batchSize) / train.length,
    rank: { least: Math.min(...ranks), most: Math.max(...ranks), degenerate },
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

/** Seconds a token of three steps of plain fine-tuning, compilation left out. */
async function probe({ lab, train }: RunMaterial, config: RunConfig): Promise<number> {
  const fineTune = await lab.fineTune(settingsOf({ ...config, method: 'sft' }, config.maxLength), train);
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
