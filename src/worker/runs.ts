/** @file The life of a run: prepare, evaluate the base, train with live evaluation and drift, pause, stop, keep. */
import type { DecodeProgress, ProbeBaseline, ProbeMeter, WeightSet } from '../engine.ts';
import { METRICS_RING } from '../engine.ts';
import type { Scorer } from '../evaluation/scorer.ts';
import type { Turn } from '../gpu/turn.ts';
import { heldBy, partsOf } from '../methods/registry.ts';
import type { DriftMeter } from '../spectral/drift.ts';
import { StoppedBeforeTrainingError, summaryOf } from './decomposing.ts';
import type { ImportedRun } from './imported.ts';
import type { RunKeeper } from './keeper.ts';
import { fineTuning, settingsOf, Stopped, unlessStopped, type Learner } from './learner.ts';
import type { Lock } from './lock.ts';
import { estimatedDivergences } from './probing.ts';
import type { Evaluation, LabEvent, PhaseId, RunConfig, RunId, RunState, RunSummary, SampledAnswers, SuiteMeasures } from './protocol.ts';
import { interrupted } from './records.ts';
import { questionsOf } from './questions.ts';
import { reinforcing } from './reinforcing.ts';
import type { RunMaterial } from './runMaterial.ts';
import { evaluateSuites, suiteScorer } from './suites.ts';

/** Milliseconds of steps between two reports: short enough for a live picture and for the playground to get its turn. */
const REPORT_EVERY = 200;
/** Milliseconds in which a lost device says so after the first call that failed. */
const LOSS_GRACE = 100;

type Emit = (event: LabEvent) => void;

/** What measures the weights under training, where a run asks for it. */
interface Meters {
  readonly spectrum?: DriftMeter;
  readonly follow?: ProbeMeter;
}

/** Takes what the run frees when it ends. */
type Own = <T extends { destroy(): void }>(resource: T) => T;

/** What the page asked the loop to do next. */
type Request = 'run' | 'pause' | 'step' | 'keep' | 'discard';

/** A run that was interrupted: its log up to a checkpoint, and that. */
export interface Interrupted {
  readonly startedAt: string;
  readonly events: readonly LabEvent[];
  readonly step: number;
  readonly file: Blob;
  /** Spent up to there. */
  readonly seconds: number;
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
  /** Seconds of training and evaluating before `#since`, when it began to run the last time. */
  #seconds = 0;
  #since: number | undefined;
  /** What its evaluations measured the suites by: those of a run from files were made elsewhere. */
  measures: SuiteMeasures;
  #from: Interrupted | undefined;
  #request: Request = 'run';
  #wake: (() => void) | undefined;
  /** A slice of what may be broken off. */
  readonly #turn: Turn = (work) => {
    if (this.#isStopped()) throw new Stopped('The run was stopped.');
    return this.lock.run(work);
  };
  /** What a run that is kept ends with is measured to its end. */
  readonly #turnUnlessDiscarded: Turn = (work) => {
    if (this.#isDiscarded()) throw new Stopped('The run was discarded.');
    return this.lock.run(work);
  };

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
      seconds: this.seconds,
      ...(this.importedFrom === undefined ? {} : { importedFrom: this.importedFrom }),
    };
  }

  /** It has spent on training and evaluating so far. */
  get seconds(): number {
    return this.#seconds + (this.#since === undefined ? 0 : (performance.now() - this.#since) / 1000);
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
    this.#seconds = from.seconds;
    this.completedSteps = from.step;
    this.events.push(...from.events);
    const base = from.events.find((event) => event.type === 'evaluation')?.evaluation;
    if (base?.step === 0) this.material.baseEvaluations.set(this.material.evaluationKey, base);
  }

  /** Runs to the end. Never rejects: failures become a state with its reason. */
  async run(): Promise<void> {
    const resources: { destroy(): void }[] = [];
    const own: Own = (resource) => {
      resources.push(resource);
      return resource;
    };
    try {
      await this.#train(own);
    } catch (error) {
      this.weights = undefined;
      // Nothing has been trained yet that could be kept.
      if (error instanceof StoppedBeforeTrainingError) this.#setState('stopped', 'discarded');
      else await this.#fail(error);
    } finally {
      for (const resource of resources.toReversed()) resource.destroy();
      if (this.state === 'stopped' && !this.weights) await this.keeper?.discard();
      else await this.keeper?.end(this.state === 'finished');
    }
  }

  async #train(own: Own): Promise<void> {
    const { config, material, lock } = this;
    const { lab } = material;
    this.#setState('preparing');
    // A decomposition takes minutes for a large model: whoever stops the run does not wait for it.
    const decompose = (done: number, total: number, reading = false): void => {
      if (this.#isStopped()) throw new StoppedBeforeTrainingError();
      this.#phase(reading ? 'read-bases' : 'decompose', done, total, 'matrices');
    };
    // Drift is measured in the bases too; a run that neither penalises nor measures needs none.
    const measuresDrift = config.driftEvery > 0;
    const holdsTop = config.reinforce === undefined && heldBy(partsOf(config).penalty) === 'top';
    const decomposition = measuresDrift || holdsTop ? await lock.run(() => lab.decompose(config.rankFraction, decompose, config.lora?.targets)) : undefined;
    if (decomposition) this.#emit({ type: 'decomposed', run: this.id, decomposition: summaryOf(decomposition) });
    const baseline = await this.#baseline();
    this.#phase('compile', 0, 1, 'kernels');
    if (this.#isStopped()) {
      this.#setState('stopped', 'discarded');
      return;
    }
    const learner = await this.#learner(own, decompose);
    const scorer = own(suiteScorer(lab, learner.weights, config.maxLength));
    const meters: Meters = {
      ...(measuresDrift && decomposition ? { spectrum: lab.driftMeter(learner.weights, decomposition) } : {}),
      ...(baseline ? { follow: own(await lock.run(() => lab.probeMeter(baseline, learner.weights))) } : {}),
    };
    this.#phase('compile', 1, 1, 'kernels');
    await unlessStopped(this.#evaluateBase(config.startFrom === undefined ? scorer : own(suiteScorer(lab, lab.model.weights, config.maxLength))));
    if (!this.#isStopped()) await unlessStopped(this.#evaluateStart(scorer));
    if (this.#isStopped()) {
      // Nothing has been trained yet that could be kept.
      this.#setState('stopped', 'discarded');
      return;
    }
    this.weights = learner.weights;
    this.#setState('running');
    const finished = await this.#steps(learner, scorer, meters);
    // A run that is stopped can go on later, as if it had been paused.
    if (!finished && !this.#isDiscarded()) await this.#checkpoint(learner);
    const measured = this.#isDiscarded() ? undefined : await unlessStopped(this.#evaluate(scorer, this.completedSteps, 'evaluate', true, this.#turnUnlessDiscarded));
    if (!measured) {
      this.weights = undefined;
      this.#setState('stopped', 'discarded');
      return;
    }
    this.material.baseEvaluations.set(this.#endKey(this.id), measured);
    if (meters.spectrum) await this.#drift(meters.spectrum);
    if (meters.follow) await this.#follow(meters.follow);
    this.#phase('save', 0, 1, 'items');
    this.weights = await lab.keep(learner.weights);
    await this.keeper?.writeWeights(lab.saveWeights(this.weights));
    this.#phase('save', 1, 1, 'items');
    if (finished) this.#setState('finished');
    else this.#setState('stopped', undefined, this.keeper?.keeps === true ? this.keeper.checkpoint : undefined);
  }

  /** What the base model makes of the examples that the run is followed on; before anything of the run is on the device, which this takes room of for a while. */
  async #baseline(): Promise<ProbeBaseline | undefined> {
    const { follow } = this.config;
    if (!follow || this.#isStopped()) return undefined;
    const { lab, followed } = this.material;
    return lab.probeBaseline(await followed(), follow, { turn: (work) => this.lock.run(work), onProgress: (done, total) => this.#phase('probe', done, total, 'parts') });
  }

  /** What trains: at the start of the run, or where it was interrupted. */
  async #learner(own: Own, decompose: (done: number, total: number) => void): Promise<Learner> {
    const { config, lock, material } = this;
    const { lab, train, withStart } = material;
    const { reinforce } = config;
    let create = async (startFrom: WeightSet | undefined): Promise<Learner> => fineTuning(await lab.fineTune(settingsOf(config, config.maxLength), train, { startFrom, decompose }));
    if (reinforce) {
      const questions = await questionsOf(material, config, reinforce);
      if ('obstacle' in questions) throw new Error(questions.obstacle);
      create = (startFrom) => reinforcing(lab, config, reinforce, questions.examples, startFrom);
    }
    const prepare = (startFrom: WeightSet | undefined): Promise<Learner> => lock.run(() => create(startFrom));
    const from = this.#from;
    const learner = own(await (from ? prepare(undefined) : withStart(prepare)));
    if (from) await learner.restoreState(from.file, `the checkpoint of step ${from.step}`);
    return learner;
  }

  #isDiscarded(): boolean {
    return this.#request === 'discard';
  }

  #isStopped(): boolean {
    return this.#request === 'keep' || this.#isDiscarded();
  }

  /** The training loop. Returns whether all steps were made. */
  async #steps(learner: Learner, scorer: Scorer, { spectrum, follow }: Meters): Promise<boolean> {
    const { config } = this;
    let burst = 1;
    let evaluatedAt = 0;
    let driftAt = 0;
    let followedAt = 0;
    const followEvery = follow && config.follow ? config.follow.every : Number.POSITIVE_INFINITY;
    while (this.completedSteps < config.steps) {
      if (!(await this.#mayContinue(learner))) return false;
      const single = this.#request === 'step';
      const untilEvaluation = config.evaluateEvery - (this.completedSteps % config.evaluateEvery);
      const untilDrift = spectrum ? config.driftEvery - (this.completedSteps % config.driftEvery) : Number.POSITIVE_INFINITY;
      const count = single ? 1 : Math.min(burst, untilEvaluation, untilDrift, followEvery - (this.completedSteps % followEvery), config.steps - this.completedSteps);
      const started = performance.now();
      if (!(await this.#take(learner, count))) return false;
      const elapsed = performance.now() - started;
      burst = Math.max(1, Math.min(METRICS_RING / 2, Math.round((REPORT_EVERY / elapsed) * count)));
      const last = this.completedSteps >= config.steps;
      if (spectrum && !last && this.completedSteps % config.driftEvery === 0 && driftAt !== this.completedSteps) {
        driftAt = this.completedSteps;
        await this.#drift(spectrum);
      }
      if (follow && !last && this.completedSteps % followEvery === 0 && followedAt !== this.completedSteps) {
        followedAt = this.completedSteps;
        await this.#follow(follow);
      }
      if (!last && this.completedSteps % config.evaluateEvery === 0 && evaluatedAt !== this.completedSteps) {
        evaluatedAt = this.completedSteps;
        if (!(await unlessStopped(this.#evaluate(scorer, this.completedSteps, 'evaluate', false)))) return false;
      }
      if (this.keeper?.isDue(this.completedSteps, config.evaluateEvery)) await this.#checkpoint(learner);
      if (single && this.#request === 'step') this.request('pause');
    }
    return true;
  }

  /** Takes steps and reports them. False when the run was asked to end while the first was decoding. */
  async #take(learner: Learner, count: number): Promise<boolean> {
    const report = (progress?: DecodeProgress): void => this.#phase('train', this.completedSteps, this.config.steps, 'steps', progress);
    const taken = await unlessStopped(learner.take(count, (work) => this.lock.run(work), { turn: this.#turn, onProgress: report }));
    if (!taken) return false;
    const { steps, answers } = taken;
    this.completedSteps += steps.length;
    this.#emit({ type: 'steps', run: this.id, steps });
    if (answers) this.#showAnswers(answers);
    report();
    return true;
  }

  /** The log keeps those of evaluated steps: all of them would be more than the rest of it. */
  #showAnswers(sampled: SampledAnswers): void {
    const { evaluateEvery, steps } = this.config;
    const event: LabEvent = { type: 'answers', run: this.id, sampled };
    if (sampled.step % evaluateEvery === 0 || sampled.step === steps) this.#emit(event);
    else this.emitToPage(event);
  }

  async #checkpoint(learner: Learner): Promise<void> {
    if (this.completedSteps === 0) return;
    await this.lock.run(async () => this.keeper?.writeCheckpoint(this.completedSteps, learner.saveState(), this.seconds));
  }

  /** Waits while paused, which may be until the page is left. False when the run was asked to end. */
  async #mayContinue(learner: Learner): Promise<boolean> {
    while (this.#request === 'pause') {
      if (this.state !== 'paused') this.#setState('paused');
      await this.#checkpoint(learner);
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

  async #evaluate(scorer: Scorer, step: number, phase: PhaseId, all: boolean, turn = this.#turn): Promise<Evaluation> {
    const evaluation = await this.#measure(scorer, step, phase, all, turn);
    this.#emit({ type: 'evaluation', run: this.id, evaluation });
    return evaluation;
  }

  /** @param all every item of the suites, else `evaluationItems` of each */
  #measure(scorer: Scorer, step: number, phase: PhaseId, all: boolean, turn = this.#turn): Promise<Evaluation> {
    const { heldOut, outOfDomain } = this.material;
    const limit = all ? Number.POSITIVE_INFINITY : this.config.evaluationItems;
    return evaluateSuites(scorer, [heldOut, outOfDomain], step, limit, turn, (done, total, decoding) => this.#phase(phase, done, total, 'items', decoding));
  }

  async #evaluateBase(scorer: Scorer): Promise<void> {
    if (this.events.some((event) => event.type === 'evaluation')) return;
    const { baseEvaluations, evaluationKey } = this.material;
    const known = baseEvaluations.get(evaluationKey);
    if (known) this.#emit({ type: 'evaluation', run: this.id, evaluation: known });
    else baseEvaluations.set(evaluationKey, await this.#evaluate(scorer, 0, 'evaluate-base', true));
  }

  /** Measures the weights of another run that this one starts from, beside the base model that both come from. */
  async #evaluateStart(scorer: Scorer): Promise<void> {
    const { startFrom } = this.config;
    if (startFrom === undefined || this.events.some((event) => event.type === 'start')) return;
    const { baseEvaluations } = this.material;
    const key = this.#endKey(startFrom);
    const known = baseEvaluations.get(key);
    const evaluation: Evaluation = known ? { ...known, step: 0 } : await this.#measure(scorer, 0, 'evaluate-start', true);
    baseEvaluations.set(key, evaluation);
    this.#emit({ type: 'start', run: this.id, evaluation });
  }

  /** Names what a run ended with, as adapters or as whole weights: merging rounds. */
  #endKey(id: RunId): string {
    return [this.material.evaluationKey, id, this.config.lora ? 'adapter' : 'weights'].join(' ');
  }

  async #drift(meter: DriftMeter): Promise<void> {
    const matrices = await this.lock.run(() => meter.measure());
    this.#emit({ type: 'drift', run: this.id, drift: { step: this.completedSteps, matrices } });
  }

  async #follow(meter: ProbeMeter): Promise<void> {
    const { outputs, ...probed } = await meter.measure({ turn: (work) => this.lock.run(work) });
    const followed = { step: this.completedSteps, ...probed, ...(outputs ? { outputs: estimatedDivergences(outputs) } : {}) };
    this.#emit({ type: 'followed', run: this.id, followed });
  }

  /** Why it failed, for a person: a lost device shows first as some call that was aborted. */
  async #fail(error: unknown): Promise<void> {
    const loss = await Promise.race([this.material.lost, new Promise<undefined>((resolve) => setTimeout(resolve, LOSS_GRACE, undefined))]);
    if (!loss) {
      this.#setState('failed', error instanceof Error ? error.message : String(error));
      return;
    }
    this.state = 'failed';
    this.#seconds = this.seconds;
    this.#since = undefined;
    this.#emit(interrupted(this.id, 'The graphics device was lost', this.completedSteps, this.keeper?.checkpoint));
  }

  #setState(state: RunState, message?: string, resumableFrom?: number): void {
    this.state = state;
    this.#seconds = this.seconds;
    this.#since = state === 'running' ? performance.now() : undefined;
    this.#emit({ type: 'state', run: this.id, state, seconds: this.#seconds, ...(message === undefined ? {} : { message }), ...(resumableFrom === undefined ? {} : { resumableFrom }) });
  }

  #phase(phase: PhaseId, done: number, total: number, unit: Extract<LabEvent, { type: 'phase' }>['unit'], decoding?: DecodeProgress): void {
    this.emitToPage({ type: 'phase', run: this.id, phase, done, total, unit, ...(decoding ? { decoding } : {}) });
  }

  #emit(event: LabEvent): void {
    this.events.push(event);
    this.keeper?.log(event);
    this.emitToPage(event);
  }
}
