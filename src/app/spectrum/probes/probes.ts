/** @file What can be measured beside the recorded drift: the requests, and what they will cost. Pure functions, with tests. */
import type { DatasetRole, DatasetSummary, MatrixDetail, ProbeKind, ProbeReport, ProbeRequest, RunId } from '../../../worker/protocol.ts';
import { formatAbout, formatCount, formatCounted } from '../../format.ts';
import { runSpeed, type LabRun, type PhaseProgress } from '../../runs.ts';
import { reportsOf } from './reports.ts';

/** The form of one kind as it was filled in; a restore takes both suites. */
export interface ProbeForm {
  readonly role: DatasetRole;
  /** From the start of the data; NaN where the field holds no number. */
  readonly items: number;
}

export interface ProbesState {
  readonly forms: Readonly<Record<ProbeKind, ProbeForm>>;
  /** Compare the Fisher share with the block of the smallest singular values too. */
  readonly tail: boolean;
  readonly going: { readonly request: ProbeRequest; readonly progress: PhaseProgress | undefined; readonly cancelling: boolean } | undefined;
  readonly problem: { readonly kind: ProbeKind; readonly message: string } | undefined;
  /** Matrices that were looked at closely, the latest first. */
  readonly details: readonly { readonly run: RunId; readonly detail: MatrixDetail }[];
  /** One was asked for: from now on whatever is selected is looked at. */
  readonly followsSelection: boolean;
  readonly readingDetail: boolean;
  readonly detailProblem: string | undefined;
}

export const initialProbes: ProbesState = {
  forms: {
    fisher: { role: 'train', items: 64 },
    representation: { role: 'outOfDomain', items: 64 },
    output: { role: 'outOfDomain', items: 100 },
    restore: { role: 'outOfDomain', items: 100 },
  },
  tail: true,
  going: undefined, problem: undefined, details: [], followsSelection: false, readingDetail: false, detailProblem: undefined,
};

/** The request of a form. @param of Fisher only: whose gradients are taken */
export function requestOf(kind: ProbeKind, run: RunId, { forms, tail }: Pick<ProbesState, 'forms' | 'tail'>, of: 'base' | 'run'): ProbeRequest {
  const { role, items } = forms[kind];
  if (kind === 'restore') return { kind, run, items };
  return kind === 'fisher' ? { kind, run, role, items, of, tail } : { kind, run, role, items };
}

/** Why a run cannot be measured; undefined when it can. */
export function obstacle(run: LabRun): string | undefined {
  if (run.recorded) return 'This run was recorded elsewhere: its weights are not here to be measured.';
  if (run.withoutWeights === true) return 'Only the log of this run is kept, not its weights.';
  if (run.state === 'failed') return 'This run failed and has no weights to measure.';
  if (run.state === 'preparing') return 'This run has no weights of its own yet.';
  return undefined;
}

/** Tokens of the probe set that representation drift uses at most. */
const stateTokens = 1024;
/** Seconds that decomposing a matrix of 576 takes on an adapter that is the CPU (bench/RESULTS.md), on a GPU less; it grows with the cube. */
const tailSeconds = 0.1;
/** A forward pass is a third of a training step. */
const forwardShare = 1 / 3;
/** Base, tuned, and three parts put back. */
const restoredSets = 5;

export interface ProbeCost {
  readonly examples: number;
  /** Tokens through the model; undefined for a restore, whose answers are not known yet. */
  readonly tokens: number | undefined;
  /** Undefined where nothing has been timed yet. */
  readonly seconds: number | undefined;
}

/**
 * What a measurement of the run will take: by the last one of its kind, else by the pace at which the run trained or was evaluated.
 * @param timed runs whose times are those of this machine; the latest of them gives the pace where the run is not among them
 */
export function costOf(request: ProbeRequest, run: LabRun, datasets: Readonly<Partial<Record<DatasetRole, DatasetSummary>>>, timed: readonly LabRun[]): ProbeCost {
  const count = (role: DatasetRole): number => Math.min(request.items, datasets[role]?.rows ?? 0);
  const examples = request.kind === 'restore' ? count('heldOut') + count('outOfDomain') : count(request.role);
  const data = request.kind === 'restore' ? undefined : datasets[request.role];
  const once = data && data.rows > 0 ? (examples * data.tokens) / data.rows : undefined;
  const sent = request.kind === 'representation' && once !== undefined ? Math.min(stateTokens, once) : once;
  const tokens = sent === undefined ? undefined : request.kind === 'fisher' ? sent : 2 * sent;
  const last = reportsOf(timed).find(({ request: other }) => other.kind === request.kind && (request.kind !== 'fisher' || (other.kind === 'fisher' && other.tail === request.tail)));
  if (last !== undefined && last.examples > 0) return { examples, tokens, seconds: (last.seconds * examples) / last.examples };
  const paced = timed.find(({ id }) => id === run.id) ?? timed.at(-1);
  if (request.kind === 'restore') {
    const evaluated = paced?.evaluations.findLast(({ seconds }) => seconds !== undefined);
    return { examples, tokens, seconds: evaluated && (restoredSets * examples * evaluated.seconds!) / (evaluated.inDomain.items + evaluated.outOfDomain.items) };
  }
  const speed = paced && runSpeed(paced);
  if (speed === undefined || tokens === undefined) return { examples, tokens, seconds: undefined };
  const tail = request.kind === 'fisher' && request.tail ? (run.drifts.at(-1)?.matrices ?? []).reduce((sum, { shape }) => sum + tailSeconds * (Math.min(...shape) / 576) ** 3, 0) : 0;
  return { examples, tokens, seconds: (tokens * (request.kind === 'fisher' ? 1 : forwardShare)) / speed + tail };
}

/** "64 training examples, 2,816 tokens forward and backward, about 4 s." */
export function costText(request: ProbeRequest, { examples, tokens, seconds }: ProbeCost): string {
  const how = request.kind === 'fisher' ? 'forward and backward, one example at a time' : 'forward';
  const time = seconds === undefined ? 'time not known before the first one' : formatAbout(seconds);
  const work = request.kind === 'restore' ? `each answered by ${restoredSets} sets of weights, one at a time` : `${formatCount(tokens)} tokens ${how}`;
  return `${formatCounted(examples, 'example')}, ${work}, ${time}.`;
}

/** What a measurement took: "64 examples of demo-train.jsonl, step 300, 3 s". */
export const takenText = ({ examples, dataset, step, seconds }: ProbeReport): string => `${formatCounted(examples, 'example')} of ${dataset}, ${step === 0 ? 'base model' : `step ${formatCount(step)}`}, ${seconds < 0.95 ? 'under 1' : formatCount(seconds)} s`;
