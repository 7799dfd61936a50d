/** @file The life of a run: prepare, evaluate the base, train with live evaluation and drift, pause, stop, keep. */
import type { TokenisedList } from '../data/tokenStore.ts';
import type { FineTune, GpuLostError, Lab, WeightSet } from '../engine.ts';
import { METRICS_RING } from '../engine.ts';
import type { Example } from '../data/examples.ts';
import { scoreInterval } from '../evaluation/intervals.ts';
import type { Measure, ScoredItem, Scorer } from '../evaluation/scorer.ts';
import { heldBy, partsOf } from '../methods/registry.ts';
import type { DriftMeter } from '../spectral/drift.ts';
import type { ImportedRun } from './imported.ts';
import type { RunKeeper } from './keeper.ts';
import type { Lock } from './lock.ts';
import type { Accuracy, Evaluation, LabEvent, PhaseId, RunConfig, RunState, RunSummary, StepMetrics, SuiteMeasures } from './protocol.ts';
import type { RunOrigin } from './records.ts';
import { interrupted } from './records.ts';

/** Items with what they are scored by. */
export interface Suite {
  readonly examples: readonly Example[];
  readonly measure: Measure;
}

/** What a run is made on, frozen with it. */
export interface RunMaterial {
  readonly lab: Lab;
  readonly train: TokenisedList;
  readonly trainTokens: number;
  readonly heldOut: Suite;
  readonly outOfDomain: Suite;
  /** Tokens of all items of each, for the time a run will take. */
  readonly heldOutTokens: number;
  readonly outOfDomainTokens: number;
  readonly modelName: string;
  readonly datasetName: string;
  /** Evaluations of the base model on all items, by what they were made on; runs on the same data share them. */
  readonly baseEvaluations: Map<string, Evaluation>;
  /** Names the held-out and out-of-domain data and the length they were cut to. */
  readonly evaluationKey: string;
  /** Holds the weights that the run starts from while `work` copies them; undefined where it starts from the model. */
  readonly withStart: <T>(work: (startFrom: WeightSet | undefined) => Promise<T>) => Promise<T>;
  readonly origin: RunOrigin;
  /** Resolves when the device is lost. */
  readonly lost: Promise<GpuLostError>;
}

/** Milliseconds of steps between two reports: short enough for a live picture and for the playground to get its turn. */
const REPORT_EVERY = 200;
/** Milliseconds in which a lost device says so after the first call that failed. */
const LOSS_GRACE = 100;
/** Rows of an evaluation batch, and sequences decoded together; more would hold the GPU for long on slow adapters. */
const EVALUATION_ROWS = 8;
/** Tokens an answer may take in an evaluation during a run. */
const ANSWER_TOKENS = 256;

/** One greedy answer an item. */
export const GREEDY = { samples: 1, temperature: 0, maxNewTokens: ANSWER_TOKENS, seed: 0 } as const;

type Emit = (event: LabEvent) => void;

/** What the page asked the loop to do next. */
type Request = 'run' | 'pause' | 'step' | 'keep' | 'discard';

/** Settings of the engine from those of the page. */
export const settingsOf = (config: RunConfig, length: number): Parameters<Lab['fineTune']>[0] => ({
  method: config.method,
  penalty: config.penalty,
  lambda: config.lambda,
  rankFraction: config.rankFraction,
  tau: config.tau,
  throughScale: config.throughScale,
  beta: config.beta,
  optimizer: { beta1: config.beta1, beta2: config.beta2, epsilon: config.epsilon, weightDecay: config.weightDecay, clipNorm: config.clipNorm },
  schedule: { kind: config.schedule, learningRate: config.learningRate, warmupSteps: config.warmupSteps, steps: config.steps },
  batchSize: config.batchSize,
  accumulation: config.accumulation,
  length,
  seed: config.seed,
  recompute: config.recompute,
  lora: config.lora,
});

/** A run that was interrupted: its log up to a checkpoint, and that. */
export interface Interrupted {
  readonly startedAt: string;
  readonly events: readonly LabEvent[];
  readonly step: number;
  readonly file: Blob;
}

/** One run, from `start` to kept weights or to nothing. */
export class Run {
  readonly events: LabEvent[] = [];
  /** Keeps it on disk while it is made. */
  keeper: RunKeeper | undefined;
  /** Present while training and after the run was kept. */
  weights: WeightSet | undefined;
  state: RunState = 'preparing';
  completedSteps = 0;
  startedAt = new Date().toISOString();
  /** What its evaluations measured the suites by: those of a run from files were made elsewhere. */
  measures: SuiteMeasures;
  #from: Interrupted | undefined;
  #request: Request = 'run';
  #wake: (() => void) | undefined;

  constructor(
    readonly id: string,
    readonly config: RunConfig,
    readonly material: RunMaterial,
    private readonly lock: Lock,
    private readonly emitToPage: Emit,
    readonly importedFrom?: string,
  ) {
    this.measures = { inDomain: material.heldOut.measure, outOfDomain: material.outOfDomain.measure };
  }

  /** A run that was read from files: it has its log and its weights, and nothing more happens to it. */
  static imported(id: string, { weights, config, completedSteps, startedAt, measures, events }: ImportedRun, name: string, material: RunMaterial, lock: Lock, emit: Emit): Run {
    const run = new Run(id, config, material, lock, emit, name);
    run.weights = weights;
    run.completedSteps = completedSteps;
    run.startedAt = startedAt;
    run.measures = measures;
    run.state = 'finished';
    run.events.push(...events);
    return run;
  }

  get summary(): RunSummary {
    return {
      id: this.id,
      config: this.config,
      state: this.state,
      model: this.material.modelName,
      dataset: this.material.datasetName,
      startedAt: this.startedAt,
      completedSteps: this.completedSteps,
      measures: this.measures,
      ...(this.importedFrom === undefined ? {} : { importedFrom: this.importedFrom }),
    };
  }

  /** It is over and has weights. */
  get hasEnded(): boolean {
    return this.state === 'finished' || (this.state === 'stopped' && this.#request !== 'discard');
  }

  /** Tells the loop what to do; it obeys at its next step. */
  request(request: Request): void {
    this.#request = request;
    this.#wake?.();
  }

  /** Makes `run` go on where it was interrupted. */
  takeUp(from: Interrupted): void {
    this.#from = from;
    this.startedAt = from.startedAt;
    this.completedSteps = from.step;
    this.events.push(...from.events);
    const base = from.events.find((event) => event.type === 'evaluation')?.evaluation;
    if (base?.step === 0) this.material.baseEvaluations.set(this.material.evaluationKey, base);
  }

  /** Runs to the end. Never rejects: failures become a state with its reason. */
  async run(): Promise<void> {
    const resources: { destroy(): void }[] = [];
    const own = <T extends { destroy(): void }>(resource: T): T => {
      resources.push(resource);
      return resource;
    };
    try {
      await this.#train(own);
    } catch (error) {
      this.weights = undefined;
      await this.#fail(error);
    } finally {
      for (const resource of resources.toReversed()) resource.destroy();
      if (this.state === 'stopped' && !this.weights) await this.keeper?.discard();
      else await this.keeper?.end(this.weights !== undefined);
    }
  }

  async #train(own: <T extends { destroy(): void }>(resource: T) => T): Promise<void> {
    const { config, material, lock } = this;
    const { lab } = material;
    this.#setState('preparing');
    const decompose = (done: number, total: number): void => this.#phase('decompose', done, total, 'matrices');
    // Drift is measured in the bases too; a run that neither penalises nor measures needs none.
    const measuresDrift = config.driftEvery > 0;
    const decomposition = measuresDrift || heldBy(partsOf(config).penalty) === 'top' ? await lock.run(() => lab.decompose(config.rankFraction, decompose, config.lora?.targets)) : undefined;
    this.#phase('compile', 0, 1, 'kernels');
    if (this.#isStopped()) {
      this.#setState('stopped', 'discarded');
      return;
    }
    const create = (startFrom: WeightSet | undefined): Promise<FineTune> => lock.run(() => lab.fineTune(settingsOf(config, config.maxLength), material.train, { startFrom, decompose }));
    const from = this.#from;
    const fineTune = own(await (from ? create(undefined) : material.withStart(create)));
    if (from) await fineTune.restoreState(from.file, `the checkpoint of step ${from.step}`);
    const scorer = own(lab.scorer(fineTune.weights, { ...GREEDY, maxLength: config.maxLength, template: lab.template, rows: EVALUATION_ROWS, sequences: EVALUATION_ROWS }));
    const meter = measuresDrift && decomposition ? own(await lock.run(() => lab.driftMeter(fineTune.weights, decomposition))) : undefined;
    this.#phase('compile', 1, 1, 'kernels');
    await this.#evaluateBase(scorer);
    if (this.#isStopped()) {
      // Nothing has been trained yet that could be kept.
      this.#setState('stopped', 'discarded');
      return;
    }
    this.weights = fineTune.weights;
    this.#setState('running');
    const finished = await this.#steps(fineTune, scorer, meter);
    if (this.#request === 'discard') {
      this.weights = undefined;
      this.#setState('stopped', 'discarded');
      return;
    }
    await this.#evaluate(scorer, this.completedSteps, 'evaluate', true);
    if (meter) await this.#drift(meter);
    this.#phase('save', 0, 1, 'items');
    this.weights = await lab.keep(fineTune.weights);
    await this.keeper?.writeWeights(lab.saveWeights(this.weights));
    this.#phase('save', 1, 1, 'items');
    this.#setState(finished ? 'finished' : 'stopped');
  }

  #isStopped(): boolean {
    return this.#request === 'keep' || this.#request === 'discard';
  }

  /** The training loop. Returns whether all steps were made. */
  async #steps(fineTune: FineTune, scorer: Scorer, meter: DriftMeter | undefined): Promise<boolean> {
    const { config } = this;
    let burst = 1;
    let evaluatedAt = 0;
    let driftAt = 0;
    while (this.completedSteps < config.steps) {
      if (!(await this.#mayContinue(fineTune))) return false;
      const single = this.#request === 'step';
      const untilEvaluation = config.evaluateEvery - (this.completedSteps % config.evaluateEvery);
      const untilDrift = meter ? config.driftEvery - (this.completedSteps % config.driftEvery) : Number.POSITIVE_INFINITY;
      const count = single ? 1 : Math.min(burst, untilEvaluation, untilDrift, config.steps - this.completedSteps);
      const started = performance.now();
      await this.lock.run(() => this.#submit(fineTune, count));
      const elapsed = performance.now() - started;
      burst = Math.max(1, Math.min(METRICS_RING / 2, Math.round((REPORT_EVERY / elapsed) * count)));
      const last = this.completedSteps >= config.steps;
      if (meter && !last && this.completedSteps % config.driftEvery === 0 && driftAt !== this.completedSteps) {
        driftAt = this.completedSteps;
        await this.#drift(meter);
      }
      if (!last && this.completedSteps % config.evaluateEvery === 0 && evaluatedAt !== this.completedSteps) {
        evaluatedAt = this.completedSteps;
        await this.#evaluate(scorer, this.completedSteps, 'evaluate', false);
      }
      if (this.keeper?.isDue(this.completedSteps, config.evaluateEvery)) await this.#checkpoint(fineTune);
      if (single && this.#request === 'step') this.request('pause');
    }
    return true;
  }

  /** Submits steps, waits for them and reports them. */
  async #submit(fineTune: FineTune, count: number): Promise<void> {
    const started = performance.now();
    const trained: number[] = [];
    let tokens = 0;
    for (let i = 0; i < count; i++) {
      const step = fineTune.submitStep();
      trained.push(step.trainedTokens);
      tokens += step.tokens;
    }
    const records = await fineTune.readMetrics();
    const tokensPerSecond = (1000 * tokens) / (performance.now() - started);
    this.completedSteps += count;
    const steps = records.map((record, i): StepMetrics => ({ ...record, loss: record.skipped ? Number.NaN : record.loss, learningRate: fineTune.learningRate(record.step), trainedTokens: trained[i] ?? 0, tokensPerSecond }));
    this.#emit({ type: 'steps', run: this.id, steps });
    this.#phase('train', this.completedSteps, this.config.steps, 'steps');
  }

  async #checkpoint(fineTune: FineTune): Promise<void> {
    if (this.completedSteps > 0) await this.lock.run(async () => this.keeper?.writeCheckpoint(this.completedSteps, fineTune.saveState()));
  }

  /** Waits while paused, which may be until the page is left. False when the run was asked to end. */
  async #mayContinue(fineTune: FineTune): Promise<boolean> {
    while (this.#request === 'pause') {
      if (this.state !== 'paused') this.#setState('paused');
      await this.#checkpoint(fineTune);
      // Somebody may have asked for something else meanwhile, and would not ask again.
      if (this.#request !== 'pause') break;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    if (this.state === 'paused' && this.#request === 'run') this.#setState('running');
    return this.#request === 'run' || this.#request === 'step';
  }

  /** @param all every item of the suites, else `evaluationItems` of each */
  async #evaluate(scorer: Scorer, step: number, phase: PhaseId, all: boolean): Promise<Evaluation> {
    const limit = all ? Number.POSITIVE_INFINITY : this.config.evaluationItems;
    const suites = [this.material.heldOut, this.material.outOfDomain].map(({ examples, measure }) => ({ examples: examples.slice(0, limit), measure }));
    const total = suites.reduce((sum, { examples }) => sum + examples.length, 0);
    const results: ScoredItem[][] = [];
    const started = performance.now();
    let before = 0;
    this.#phase(phase, 0, total, 'items');
    for (const { examples, measure } of suites) {
      results.push(await scorer.score(examples, measure, (work) => this.lock.run(work), (count) => this.#phase(phase, before + count, total, 'items')));
      before += examples.length;
    }
    const groups = suites[1]!.examples.map(({ group }) => group);
    const evaluation = { ...summarise(step, results[0]!, results[1]!, groups), seconds: (performance.now() - started) / 1000 };
    this.#emit({ type: 'evaluation', run: this.id, evaluation });
    return evaluation;
  }

  async #evaluateBase(scorer: Scorer): Promise<void> {
    if (this.events.some((event) => event.type === 'evaluation')) return;
    const { baseEvaluations, evaluationKey } = this.material;
    const known = baseEvaluations.get(evaluationKey);
    if (known) this.#emit({ type: 'evaluation', run: this.id, evaluation: known });
    else baseEvaluations.set(evaluationKey, await this.#evaluate(scorer, 0, 'evaluate-base', true));
  }

  async #drift(meter: DriftMeter): Promise<void> {
    const matrices = await this.lock.run(() => meter.measure());
    this.#emit({ type: 'drift', run: this.id, drift: { step: this.completedSteps, matrices } });
  }

  /** Why it failed, for a person: a lost device shows first as some call that was aborted. */
  async #fail(error: unknown): Promise<void> {
    const loss = await Promise.race([this.material.lost, new Promise<undefined>((resolve) => setTimeout(resolve, LOSS_GRACE, undefined))]);
    if (!loss) {
      this.#setState('failed', error instanceof Error ? error.message : String(error));
      return;
    }
    this.state = 'failed';
    this.#emit(interrupted(this.id, 'The graphics device was lost', this.completedSteps, this.keeper?.checkpoint));
  }

  #setState(state: RunState, message?: string): void {
    this.state = state;
    this.#emit({ type: 'state', run: this.id, state, ...(message === undefined ? {} : { message }) });
  }

  #phase(phase: PhaseId, done: number, total: number, unit: Extract<LabEvent, { type: 'phase' }>['unit']): void {
    this.emitToPage({ type: 'phase', run: this.id, phase, done, total, unit });
  }

  #emit(event: LabEvent): void {
    this.events.push(event);
    this.keeper?.log(event);
    this.emitToPage(event);
  }
}

function accuracy(results: readonly ScoredItem[]): Accuracy {
  const scores = results.map(({ score = 0 }) => score);
  const { low, high } = scores.length > 0 ? scoreInterval(scores) : { low: 0, high: 1 };
  return { correct: scores.reduce((sum, score) => sum + score, 0), items: scores.length, low, high };
}

/** Mean negative log-likelihood of the completions' tokens; NaN where no item has a completion. */
function meanLoss(results: readonly ScoredItem[]): number {
  return results.reduce((sum, { nll }) => sum + nll, 0) / results.reduce((sum, { tokens }) => sum + tokens, 0);
}

function summarise(step: number, heldOut: readonly ScoredItem[], outOfDomain: readonly ScoredItem[], groups: readonly (string | undefined)[]): Evaluation {
  const byGroup = new Map<string, ScoredItem[]>();
  for (const [i, result] of outOfDomain.entries()) {
    const group = groups[i];
    if (group === undefined) continue;
    const own = byGroup.get(group);
    if (own) own.push(result);
    else byGroup.set(group, [result]);
  }
  return {
    step,
    heldOutLoss: meanLoss(heldOut),
    outOfDomainLoss: meanLoss(outOfDomain),
    inDomain: accuracy(heldOut),
    outOfDomain: accuracy(outOfDomain),
    groups: [...byGroup].map(([group, results]) => ({ group, ...accuracy(results) })).toSorted((a, b) => a.group.localeCompare(b.group)),
  };
}
