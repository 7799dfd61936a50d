/** @file Memory and time of a run before it starts, whether it fits, and what would make it fit. */
import type { Lab, RunSize, WayToFit as EngineWay, WeightSet } from '../engine.ts';
import { runSize } from '../engine.ts';
import type { Example } from '../data/examples.ts';
import { BatchPlan } from '../data/batches.ts';
import type { Turn } from '../gpu/turn.ts';
import { partsOf } from '../methods/registry.ts';
import { effectiveRank } from '../spectral/decompose.ts';
import { probeOf } from '../spectral/probeMeter.ts';
import { settingsOf } from './learner.ts';
import type { Lock } from './lock.ts';
import type { Estimate, Fit, FollowConfig, ReinforceConfig, RunConfig, WayToFit } from './protocol.ts';
import { questionsOf } from './questions.ts';
import { reinforceSettings, reinforceSize } from './reinforcing.ts';
import type { RunMaterial } from './runMaterial.ts';

const CATEGORIES = ['weights', 'pretrained', 'adapter', 'gradients', 'moments', 'activations', 'logits', 'bases', 'cache', 'other'] as const;
const PROBE_STEPS = 3;

/** What a probe found. */
interface Pace {
  /** Seconds of a step. */
  readonly step: number;
  /** Seconds a token of a forward and backward pass. */
  readonly token: number;
}

/** Seconds that following states and predictions takes: of the base model before a run, and of each measurement. */
interface FollowPace {
  readonly baseline: number;
  readonly measurement: number;
}

/** By what decides them; a probe is made once for each. */
export class ProbeCache {
  readonly paces = new Map<string, Pace>();
  readonly follows = new Map<string, FollowPace>();

  clear(): void {
    this.paces.clear();
    this.follows.clear();
  }
}

/** What an estimate needs to know of a run, fine-tuning or GRPO. */
interface Work {
  readonly size: RunSize;
  /** Tokens of a step, with the longest answers. */
  readonly tokensPerStep: number;
  readonly epochs: number;
  readonly warnings: readonly string[];
  readonly probe: (lock: Lock) => Promise<Pace>;
}

async function workOf(material: RunMaterial, config: RunConfig): Promise<Work | { readonly obstacle: string }> {
  const { lab, train, trainTokens } = material;
  const { reinforce, steps, batchSize, accumulation, maxLength, seed } = config;
  if (reinforce) {
    const questions = await questionsOf(material, config, reinforce);
    if ('obstacle' in questions) return questions;
    const { examples, longestPrompt, promptTokens, warnings } = questions;
    const { prompts, samples, maxNewTokens } = reinforce;
    return {
      size: reinforceSize(config, reinforce, longestPrompt, lab.model),
      tokensPerStep: prompts * samples * (promptTokens / examples.length + maxNewTokens),
      epochs: (steps * prompts) / examples.length,
      warnings,
      probe: (lock) => probeReinforce(material, config, reinforce, examples, lock),
    };
  }
  const { shape } = new BatchPlan(train, { batchSize: batchSize / accumulation, seqLen: maxLength, seed, padTokenId: lab.tokenizer.padTokenId, steps: steps * accumulation });
  const tokensPerStep = (batchSize * trainTokens) / Math.max(1, train.length);
  return {
    size: runSize(settingsOf(config, maxLength), { rows: shape.rows, length: maxLength }, lab.model.precision),
    tokensPerStep,
    epochs: (steps * batchSize) / train.length,
    warnings: [],
    probe: (lock) => lock.run(() => probe(material, config, tokensPerStep)),
  };
}

/** @param lock given when steps may be run to know the time */
export async function estimateRun(material: RunMaterial, config: RunConfig, probes: ProbeCache, lock: Lock | undefined, warnings: readonly string[]): Promise<Estimate> {
  const { lab, train, heldOut, outOfDomain, heldOutTokens, outOfDomainTokens } = material;
  const matrices = lab.model.layout.matrixBatches();
  const ranks = matrices.map((batch) => effectiveRank(batch, config.rankFraction));
  const degenerate = matrices.filter((batch, i) => ranks[i]! >= Math.min(batch.rows, batch.columns)).flatMap(({ names }) => names);
  const rank = { least: Math.min(...ranks), most: Math.max(...ranks), degenerate };
  const work = await workOf(material, config);
  if ('obstacle' in work) return { bytes: [], tokensPerStep: 0, epochs: 0, rank, warnings, obstacle: work.obstacle };
  const { tokensPerStep, epochs } = work;
  const { bytes, total, decomposing } = await lab.plan(await followedSize(material, config, work.size));
  const { batchSize, accumulation, maxLength, recompute, lora, startFrom, reinforce } = config;
  // How long answers become depends on the weights that sample them.
  const shape = reinforce ? [JSON.stringify(reinforce), startFrom] : [partsOf(config).objective, config.throughScale, batchSize];
  const key = [...shape, accumulation, maxLength, recompute, JSON.stringify(lora), material.datasetName, train.length].join(' ');
  if (lock && !probes.paces.has(key)) probes.paces.set(key, await work.probe(lock));
  const pace = probes.paces.get(key);
  const { follow } = config;
  const followKey = [follow?.states, follow?.outputs, maxLength, material.evaluationKey].join(' ');
  if (lock && follow && !probes.follows.has(followKey)) probes.follows.set(followKey, await probeFollow(material, follow, lock));
  const followed = follow && followTime(follow, config, probes.follows.get(followKey));
  return {
    bytes: CATEGORIES.map((category) => ({ category, bytes: bytes.get(category) ?? 0 })).filter((entry) => entry.bytes > 0),
    ...(decomposing > total ? { decomposing } : {}),
    tokensPerStep,
    epochs,
    rank,
    warnings: [...warnings, ...work.warnings],
    ...(followed ? { follow: followed } : {}),
    ...(pace === undefined || (followed && followed.seconds === undefined) ? {} : { seconds: config.steps * pace.step + pace.token * evaluatedTokens() + (followed?.seconds ?? 0) }),
  };

  /** Tokens of all evaluations; a forward pass costs a third of a step. Weights that are not the model's are measured at the start too. */
  function evaluatedTokens(): number {
    const full = heldOutTokens + outOfDomainTokens;
    const share = ({ examples }: RunMaterial['heldOut']): number => Math.min(config.evaluationItems, examples.length) / Math.max(1, examples.length);
    const live = share(heldOut) * heldOutTokens + share(outOfDomain) * outOfDomainTokens;
    return ((startFrom === undefined ? 2 : 3) * full + Math.floor(config.steps / config.evaluateEvery) * live) / 3;
  }
}

/** Allocates what a run would need, touches it and frees it; where it does not fit, what would make it fit. */
export async function fitRun(material: RunMaterial, config: RunConfig): Promise<Fit> {
  const { lab } = material;
  const work = await workOf(material, config);
  if ('obstacle' in work) throw new Error(work.obstacle);
  const size = await followedSize(material, config, work.size);
  const plan = await lab.plan(size);
  const trial = await lab.trial(plan);
  if (trial.fits) return { fits: true };
  const ways = await lab.waysToFit(size, trial.stoppedAt);
  return { fits: false, needed: Math.max(plan.total, plan.decomposing), stoppedAt: trial.stoppedAt, message: trial.message, ways: ways.map((way) => asChange(way, config, lab)) };
}

/** A way to fit in the page's words and settings. */
function asChange({ change, size, saves, total }: EngineWay, config: RunConfig, lab: Lab): WayToFit {
  const { reinforce } = config;
  const rest = { change, saves, total, precision: lab.model.precision, config };
  switch (change) {
    case 'unfollowed': {
      const { follow: _followed, ...without } = config;
      return { ...rest, label: 'Do not follow states and outputs', cost: 'no curves of them', config: without };
    }
    case 'recompute':
      return { ...rest, label: 'Recompute activations', cost: 'steps slower', config: { ...config, recompute: true } };
    case 'micro-batch':
      return { ...rest, label: reinforce ? 'Learn from one answer at a time' : 'Micro-batches of one row', cost: 'steps slower', config: { ...config, accumulation: size.accumulation } };
    case 'fewer-together': {
      const { sequences } = size.sampling!;
      return { ...rest, label: `Sample ${sequences} at once`, cost: 'sampling slower, and other random answers', config: { ...config, reinforce: { ...reinforce!, sequences } } };
    }
    case 'lora': {
      const { rank, targets } = size.lora!;
      return { ...rest, label: `Use LoRA, r ${rank}`, cost: 'trains adapters, not all weights', config: { ...config, lora: { rank, alpha: 2 * rank, targets, rsLora: false } } };
    }
    case 'half':
      return { ...rest, label: `Keep the pretrained weights in ${size.precision}`, cost: 'they are rounded unless the files hold them so', precision: size.precision };
    case 'shorter':
      if (reinforce) {
        const maxNewTokens = size.batch.length - size.sampling!.longestPrompt;
        // Longer questions would take the room that shorter answers leave.
        return { ...rest, label: `Answers of up to ${maxNewTokens} tokens`, cost: 'longer ones are cut off', config: { ...config, maxLength: Math.min(config.maxLength, size.batch.length), reinforce: { ...reinforce, maxNewTokens } } };
      }
      return { ...rest, label: `Rows of ${size.batch.length} tokens`, cost: 'longer rows are cut', config: { ...config, maxLength: size.batch.length } };
    case 'smaller-k':
      return { ...rest, label: `k of ${Math.round(100 * size.rankFraction)}%`, cost: 'the penalty holds less', config: { ...config, rankFraction: size.rankFraction } };
  }
}

/** With what measures states and predictions during the run. */
async function followedSize({ followed }: RunMaterial, { follow }: RunConfig, size: RunSize): Promise<RunSize> {
  return follow ? { ...size, follow: probeOf(await followed(), follow).size } : size;
}

function followTime({ every }: FollowConfig, { steps }: RunConfig, pace: FollowPace | undefined): NonNullable<Estimate['follow']> {
  const measurements = Math.ceil(steps / every);
  return { measurements, ...(pace === undefined ? {} : { seconds: pace.baseline + measurements * pace.measurement }) };
}

/** The base model, and it against itself once everything is compiled. */
async function probeFollow({ lab, followed }: RunMaterial, follow: FollowConfig, lock: Lock): Promise<FollowPace> {
  const turn: Turn = (work) => lock.run(work);
  const examples = await followed();
  const started = performance.now();
  const baseline = await lab.probeBaseline(examples, follow, { turn });
  const taken = (performance.now() - started) / 1000;
  const meter = await lock.run(() => lab.probeMeter(baseline, lab.model.weights));
  try {
    await meter.measure({ turn });
    return { baseline: taken, measurement: (await meter.measure({ turn })).seconds };
  } finally {
    meter.destroy();
  }
}

/** Three steps of the objective without a penalty, compilation left out. */
async function probe({ lab, train }: RunMaterial, config: RunConfig, tokensPerStep: number): Promise<Pace> {
  const { penalty: _without, ...rest } = config;
  const fineTune = await lab.fineTune(settingsOf({ ...rest, method: partsOf(config).objective, lambda: 0 }, config.maxLength), train);
  try {
    fineTune.submitStep();
    await fineTune.readMetrics();
    const started = performance.now();
    let tokens = 0;
    for (let step = 0; step < PROBE_STEPS; step++) tokens += fineTune.submitStep().tokens;
    await fineTune.readMetrics();
    const token = (performance.now() - started) / 1000 / tokens;
    return { step: token * tokensPerStep, token };
  } finally {
    fineTune.destroy();
  }
}

/** One step from where the run starts, with as few questions as fill what is decoded together, compilation left out: both parts of a step grow with its answers. */
function probeReinforce({ lab, withStart }: RunMaterial, config: RunConfig, reinforce: ReinforceConfig, questions: readonly Example[], lock: Lock): Promise<Pace> {
  const prompts = Math.min(reinforce.prompts, Math.ceil(reinforce.sequences / reinforce.samples));
  const measure = async (startFrom: WeightSet | undefined): Promise<Pace> => {
    const trainer = await lab.reinforce({ ...reinforceSettings(config, reinforce), prompts }, questions, { startFrom });
    try {
      const started = performance.now();
      const groups = await trainer.sample();
      const sampled = performance.now();
      await trainer.learn(groups);
      const [sampling, learning] = [sampled - started, performance.now() - sampled];
      const tokens = groups.flat().reduce((sum, { ids }) => sum + ids.length, 0) * reinforce.updates;
      return { step: ((sampling + learning) / 1000) * (reinforce.prompts / prompts), token: learning / 1000 / tokens };
    } finally {
      trainer.destroy();
    }
  };
  return withStart((startFrom) => lock.run(() => measure(startFrom)));
}
