/** @file A run as the page holds it: the summary of the worker and everything its events have added up to. Pure functions, no store. */
import type { DecodeProgress } from '../engine.ts';
import type { DecompositionSummary, Drift, Evaluation, FollowedDrift, LabEvent, PhaseId, ProbeReport, RunConfig, RunId, RunState, RunSummary, SampledAnswers, StepMetrics, StoredRun, SuiteMeasures } from '../worker/protocol.ts';
import { withReport } from './spectrum/probes/reports.ts';

/** The last report of a phase. */
export interface PhaseProgress {
  readonly phase: PhaseId;
  readonly done: number;
  readonly total: number;
  readonly unit: Extract<LabEvent, { type: 'phase' }>['unit'];
  /** Tokens that are decoded meanwhile. */
  readonly decoding?: DecodeProgress | undefined;
}

export interface LabRun {
  readonly id: RunId;
  readonly config: RunConfig;
  readonly state: RunState;
  /** Why it failed or stopped. */
  readonly message: string | undefined;
  readonly model: string;
  readonly dataset: string;
  readonly startedAt: string;
  readonly completedSteps: number;
  /** Name of the files that it was read from; undefined for a run that was made here. */
  readonly importedFrom: string | undefined;
  /** What its evaluations measured each suite by. */
  readonly measures: SuiteMeasures;
  /** By step, ascending, without repetition. */
  readonly steps: readonly StepMetrics[];
  /** By step, ascending; step 0 is the base model. */
  readonly evaluations: readonly Evaluation[];
  /** Of the weights of another run that it starts from, as step 0. */
  readonly start?: Evaluation;
  /** The answers that GRPO has sampled last. */
  readonly sampled?: SampledAnswers;
  /** The singular bases that it works in, where it needs any. */
  readonly decomposition?: DecompositionSummary;
  /** By step, ascending. */
  readonly drifts: readonly Drift[];
  /** By step, ascending. */
  readonly followed: readonly FollowedDrift[];
  /** What was measured on demand, the latest first. */
  readonly reports: readonly ProbeReport[];
  /** In the order in which the phases began. */
  readonly phases: readonly PhaseProgress[];
  /** The phase that reported last. */
  readonly phase: PhaseId | undefined;
  /** Milliseconds spent in the state `running`, those of earlier visits included; 0 where that was not noted. */
  readonly activeMs: number;
  /** Step and active time when the first steps arrived: the pace is measured from there. */
  readonly paceFrom: { readonly step: number; readonly activeMs: number } | undefined;
  readonly updatedAt: number;
  /** Drawn in the figures. */
  readonly visible: boolean;
  /** From the recorded file, not from this browser. */
  readonly recorded: boolean;
  /** Only its log is kept in this browser. */
  readonly withoutWeights?: true;
  /** It was interrupted or stopped and can go on from this step, bit for bit. */
  readonly resumableFrom?: number;
}

/** Its evaluations from where it starts: that of the run it goes on from, else that of the base model, then its own. */
export const pathOf = ({ evaluations, start }: Pick<LabRun, 'evaluations' | 'start'>): readonly Evaluation[] =>
  start === undefined ? evaluations : [start, ...evaluations.filter(({ step }) => step > 0)];

/** It has ended and its weights are kept: it can be asked, exported, evaluated and continued. */
export const hasWeights = (run: LabRun): boolean => !run.recorded && run.withoutWeights !== true && (run.state === 'finished' || run.state === 'stopped');

/** A run that ended and is taken up from its checkpoint: it has weights again, which are those under training. */
export function takenUp(run: LabRun, at: number): LabRun {
  const { withoutWeights: _, ...rest } = run;
  return { ...rest, state: 'preparing', message: undefined, updatedAt: at };
}

/** Files that do not say how the run was made: an adapter from elsewhere. */
export const isUnknown = ({ importedFrom, config }: Pick<LabRun, 'importedFrom' | 'config'>): boolean => importedFrom !== undefined && config.steps === 0;

export const isLive = (run: Pick<LabRun, 'state'>): boolean => run.state === 'preparing' || run.state === 'running' || run.state === 'paused';

/** A recording from before measures were noted knew this one only. */
export const exactMeasures: SuiteMeasures = { inDomain: 'exact', outOfDomain: 'exact' };

/** A run before any of its events; `at` is the time of the page in milliseconds. */
export function runFromSummary(summary: RunSummary, at: number, recorded = false): LabRun {
  const { id, config, state, model, dataset, startedAt, completedSteps, importedFrom, measures = exactMeasures, seconds = 0 } = summary;
  return {
    id, config, state, model, dataset, startedAt, completedSteps, importedFrom, measures, recorded,
    message: undefined, steps: [], evaluations: [], drifts: [], followed: [], reports: [], phases: [], phase: undefined,
    activeMs: seconds * 1000, paceFrom: undefined, updatedAt: at, visible: true,
  };
}

/** Adds `items` to a list by step. What a resumed run repeats replaces what was there, from its first step on. */
function appendBySteps<Item extends { readonly step: number }>(list: readonly Item[], items: readonly Item[]): readonly Item[] {
  const [first] = items;
  if (first === undefined) return list;
  const last = list.at(-1);
  return [...(last !== undefined && last.step >= first.step ? list.filter((item) => item.step < first.step) : list), ...items];
}

function withPhase(run: LabRun, { phase, done, total, unit, decoding }: PhaseProgress): LabRun {
  const progress = { phase, done, total, unit, decoding };
  const known = run.phases.some((other) => other.phase === phase);
  const phases = known ? run.phases.map((other) => (other.phase === phase ? progress : other)) : [...run.phases, progress];
  return { ...run, phases, phase };
}

function withEvent(run: LabRun, event: LabEvent): LabRun {
  switch (event.type) {
    case 'phase':
      return withPhase(run, event);
    case 'state': {
      const { resumableFrom: _before, ...rest } = run;
      return { ...rest, state: event.state, message: event.message, ...(event.seconds === undefined ? {} : { activeMs: event.seconds * 1000 }), ...(event.resumableFrom === undefined ? {} : { resumableFrom: event.resumableFrom }) };
    }
    case 'steps': {
      const completedSteps = event.steps.at(-1)?.step ?? run.completedSteps;
      const paceFrom = run.paceFrom ?? { step: completedSteps, activeMs: run.activeMs };
      return { ...run, steps: appendBySteps(run.steps, event.steps), completedSteps, paceFrom };
    }
    case 'evaluation':
      return { ...run, evaluations: appendBySteps(run.evaluations, [event.evaluation]) };
    case 'start':
      return { ...run, start: event.evaluation };
    case 'answers':
      return { ...run, sampled: event.sampled };
    case 'decomposed':
      return { ...run, decomposition: event.decomposition };
    case 'drift':
      return { ...run, drifts: appendBySteps(run.drifts, [event.drift]) };
    case 'followed':
      return { ...run, followed: appendBySteps(run.followed, [event.followed]) };
    case 'report':
      return { ...run, reports: withReport(run.reports, event.report) };
    case 'queue':
    case 'device':
      return run;
  }
}

/** Joins neighbouring step events of one run, so that a batch of many copies the list of steps once. */
function joinSteps(events: readonly LabEvent[]): readonly LabEvent[] {
  const joined: LabEvent[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    if (event.type === 'steps' && last?.type === 'steps' && last.run === event.run) {
      joined[joined.length - 1] = { ...last, steps: appendBySteps(last.steps, event.steps) };
    } else {
      joined.push(event);
    }
  }
  return joined;
}

/** A run after its events; `at` is the time of the page in milliseconds. */
export function applyEvents(run: LabRun, events: readonly LabEvent[], at: number): LabRun {
  const activeMs = run.state === 'running' && !run.recorded ? run.activeMs + Math.max(0, at - run.updatedAt) : run.activeMs;
  return joinSteps(events).reduce<LabRun>(withEvent, { ...run, activeMs, updatedAt: at });
}

/** Runs that took their time on this machine: not those that were recorded elsewhere or came in a bundle from another adapter. */
export const timedHere = (runs: readonly LabRun[], kept: Readonly<Record<RunId, Pick<StoredRun, 'environment'>>>, adapter: string | undefined): readonly LabRun[] =>
  runs.filter(({ id, recorded }) => !recorded && (kept[id] === undefined || kept[id].environment.adapter === adapter));

/** Seconds until the last step at the pace so far, evaluations included; undefined before there is a pace. */
export function remainingSeconds(run: LabRun): number | undefined {
  const { paceFrom, completedSteps, activeMs, config } = run;
  if (!isLive(run) || paceFrom === undefined || completedSteps <= paceFrom.step) return undefined;
  return ((config.steps - completedSteps) * (activeMs - paceFrom.activeMs)) / (completedSteps - paceFrom.step) / 1000;
}

/** Tokens a second: of the latest steps while the run is live, the mean of all when it has ended. */
export function runSpeed(run: LabRun): number | undefined {
  const steps = isLive(run) ? run.steps.slice(-8) : run.steps;
  const speeds = steps.map((step) => step.tokensPerSecond).filter((speed) => Number.isFinite(speed) && speed > 0);
  // The mean of speeds over equal work is the harmonic one.
  return speeds.length === 0 ? undefined : speeds.length / speeds.reduce((sum, speed) => sum + 1 / speed, 0);
}
