/** @file What is measured when a person asks, beside runs: evaluations of the suites, probes, and one matrix. */
import type { TokenisedList } from '../data/tokenStore.ts';
import type { TokenisedExample, WeightSet } from '../engine.ts';
import type { Scorer } from '../evaluation/scorer.ts';
import { Evaluations } from './evaluating.ts';
import { sentenceOf } from './activeRun.ts';
import type { KeptRuns } from './keptRuns.ts';
import type { Lock } from './lock.ts';
import type { ProbeMaterial } from './probing.ts';
import { Probing } from './probing.ts';
import type { EvaluationReport, EvaluationRequest, LabEvent, MatrixDetail, ProbeReport, ProbeRequest, RunId } from './protocol.ts';
import type { RunWeights } from './runWeights.ts';
import { GREEDY } from './suites.ts';
import type { Workspaces } from './workspace.ts';

/** Rows of a forward pass and sequences decoded together. */
const ROWS = 8;

export class Measurements {
  readonly evaluations = new Evaluations();
  readonly probing = new Probing();

  constructor(
    private readonly workspaces: Workspaces,
    private readonly weights: RunWeights,
    private readonly kept: KeptRuns,
    private readonly lock: Lock,
    private readonly emit: (event: LabEvent) => void,
  ) {}

  cancel(): void {
    this.evaluations.cancel();
    this.probing.cancel();
  }

  async evaluate(request: EvaluationRequest): Promise<EvaluationReport> {
    const { datasets, lab } = this.workspaces.require();
    const { examples } = await datasets.suite(request.role);
    const shape = { maxLength: this.workspaces.maxLength, template: lab.template, rows: ROWS, sequences: ROWS };
    const dataset = datasets.name(request.role);
    return this.weights.use(request.columns, (weights) =>
      this.evaluations.evaluate(
        request,
        { dataset, examples, columns: request.columns.map((column, i) => ({ column, weights: weights[i]! })), scorer: (set, settings) => lab.scorer(set, { ...shape, ...settings }) },
        (work) => this.lock.run(work),
        (done, total, decoding) => this.emit({ type: 'phase', phase: 'evaluate', done, total, unit: 'items', ...(decoding ? { decoding } : {}) }),
      ),
    );
  }

  async probe(request: ProbeRequest): Promise<ProbeReport> {
    const report = await this.probing.measure(
      request,
      (work) => this.#on(request, work),
      (work) => this.lock.run(work),
      (done, total, unit) => this.emit({ type: 'phase', phase: 'probe', done, total, unit }),
    );
    await this.#keep(report);
    return report;
  }

  async matrixDetail(id: RunId, matrix: string): Promise<MatrixDetail> {
    const { lab } = this.workspaces.require();
    return this.weights.useStill(id, (weights, { config, completedSteps }) =>
      this.weights.useBases(config, (bases) => this.lock.run(async () => ({ step: completedSteps, matrix: await lab.driftDetail(weights, bases, matrix) }))),
    );
  }

  /** With its run. Where the disk does not take it, the run says so and the page has it until it is left. */
  async #keep(report: ProbeReport): Promise<void> {
    const { run } = report.request;
    try {
      await this.kept.report(run, report);
    } catch (error) {
      const { state } = await this.kept.summary(run);
      this.emit({ type: 'state', run, state, message: `A measurement of this run is not kept on disk. ${sentenceOf(error)}` });
    }
  }

  /** Runs `work` on what a probe needs. */
  async #on(request: ProbeRequest, work: (material: ProbeMaterial) => Promise<ProbeReport>): Promise<ProbeReport> {
    const { lab, datasets } = this.workspaces.require();
    return this.weights.useStill(request.run, async (weights, { config, completedSteps }) => {
      const { maxLength } = config;
      const tokenised = request.kind === 'restore' ? [] : await datasets.examples(request.role, maxLength);
      const suites = { inDomain: await datasets.suite('heldOut'), outOfDomain: await datasets.suite('outOfDomain') };
      const dataset = request.kind === 'restore' ? `${datasets.name('heldOut')} and ${datasets.name('outOfDomain')}` : datasets.name(request.role);
      const scorer = (set: WeightSet): Scorer => lab.scorer(set, { ...GREEDY, maxLength, template: lab.template, rows: ROWS, sequences: ROWS });
      const withBases: ProbeMaterial['withBases'] = (inBases, onProgress) => this.weights.useBases(config, inBases, onProgress);
      return work({ lab, weights, step: completedSteps, dataset, examples: firstOf(tokenised, request.items), suites, scorer, withBases });
    });
  }
}

/** The first of a list; all for 0. */
const firstOf = (list: TokenisedList, count: number): TokenisedExample[] =>
  Array.from({ length: count > 0 ? Math.min(count, list.length) : list.length }, (_, index) => list.at(index)!);
