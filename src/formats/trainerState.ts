/**
 * @file The log of a run in files: trainer_state.json as transformers' Trainer writes it (TrainerState.load_from_json opens it), metrics.csv for
 * spreadsheets, and metrics.jsonl, which loses nothing and from which a run is taken up again.
 * In trainer_state.json what transformers has no name for stands under a name of ours: `train/`, `eval_id/`, `eval_ood/`, `spectral/`, `drift/`.
 */
import Papa from 'papaparse';
import { conform } from './conform.ts';
import { FormatError, show } from './formatError.ts';
import type { JsonObject } from './folder.ts';

export interface LoggedStep {
  /** 1-based optimizer step. */
  readonly step: number;
  /** What was minimised on the data, for most methods the mean cross-entropy of the trained tokens; NaN in a step that was left out. */
  readonly loss: number;
  /** Mean cross-entropy of the trained tokens, whatever was minimised; absent in logs from before this was noted. */
  readonly crossEntropy?: number;
  readonly penalty: number;
  /** Global norm before clipping. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  readonly trainedTokens: number;
  readonly tokensPerSecond: number;
  readonly skipped: boolean;
  /** From here on of GRPO: mean reward, tokens and share of its own end of the sampled answers, entropy in nats a token, and shares of groups that teach and of tokens that were clipped. */
  readonly reward?: number;
  readonly answerTokens?: number;
  readonly ended?: number;
  readonly entropy?: number;
  readonly mixedGroups?: number;
  readonly clipShare?: number;
}

export interface LoggedAccuracy {
  readonly correct: number;
  readonly items: number;
  /** 95% interval, fractions. */
  readonly low: number;
  readonly high: number;
}

export interface LoggedEvaluation {
  /** 0 = the base model. */
  readonly step: number;
  readonly heldOutLoss: number;
  readonly outOfDomainLoss: number;
  /** What it took. */
  readonly seconds?: number;
  readonly inDomain: LoggedAccuracy;
  readonly outOfDomain: LoggedAccuracy;
  readonly groups: readonly ({ readonly group: string } & LoggedAccuracy)[];
}

/** How far one weight matrix has turned; angles in degrees. */
export interface LoggedMatrix {
  readonly name: string;
  readonly layer?: number;
  readonly module: string;
  readonly shape: readonly [number, number];
  readonly k: number;
  readonly leftAngles: readonly number[];
  readonly rightAngles: readonly number[];
  readonly vectorAlignment: number;
  readonly matchedAlignment: number;
  readonly block: { readonly share: number; readonly diagonal: number; readonly offDiagonal: number; readonly chance: number };
  readonly sigma0: readonly number[];
  readonly sigma: readonly number[];
  readonly relativeChange: number;
}

/** A mean over examples with its 95% interval. */
interface LoggedEstimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** How far states and predictions on a probe set have moved from those of the base model. */
export interface LoggedFollowed {
  readonly step: number;
  readonly tokens: number;
  /** What it took. */
  readonly seconds: number;
  /** After each layer, and final-normed (without one). */
  readonly states?: readonly { readonly layer?: number; readonly cka: number; readonly cosine: number; readonly pcaShift: number; readonly explained: number }[];
  /** Divergences of the next token, nats. */
  readonly outputs?: { readonly baseToTuned: LoggedEstimate; readonly tunedToBase: LoggedEstimate; readonly jensenShannon: LoggedEstimate };
}

export interface RunHistory {
  readonly steps: readonly LoggedStep[];
  readonly evaluations: readonly LoggedEvaluation[];
  readonly drifts: readonly { readonly step: number; readonly matrices: readonly LoggedMatrix[] }[];
  readonly followed: readonly LoggedFollowed[];
  /** Of the weights that a run starts from where these are another run's, as step 0; at most one. */
  readonly starts: readonly LoggedEvaluation[];
}

/** What a log needs to know of the run. */
export interface RunPlan {
  /** Optimizer steps of the whole run. */
  readonly maxSteps: number;
  /** Examples an optimizer step, and in each of its micro-batches. */
  readonly batchSize: number;
  readonly microBatchSize: number;
  /** Training examples. */
  readonly examples: number;
  readonly evaluateEvery: number;
}

type Entry = Readonly<Record<string, number>>;

/** Columns of GRPO by the names that they have in a step. */
const REINFORCED = { reward: 'train/reward', answerTokens: 'train/answer_tokens', ended: 'train/ended', entropy: 'train/entropy', mixedGroups: 'train/mixed_groups', clipShare: 'train/clip_share' } as const;

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** One entry a step, evaluation and drift measurement, in the order of their steps. Numbers that are not finite have no entry: JSON has no NaN. */
export function logHistory({ steps, evaluations, drifts, followed }: Omit<RunHistory, 'starts'>, { batchSize, examples }: RunPlan): Entry[] {
  const epoch = (step: number): number => (step * batchSize) / examples;
  const accuracy = (prefix: string, { correct, items, low, high }: LoggedAccuracy): [string, number][] => [
    [`${prefix}accuracy`, correct / items],
    [`${prefix}correct`, correct],
    [`${prefix}items`, items],
    [`${prefix}low`, low],
    [`${prefix}high`, high],
  ];
  const entries: [step: number, values: [string, number][]][] = [
    ...steps.map(({ step, loss, penalty, gradientNorm, learningRate, trainedTokens, tokensPerSecond, skipped, ...rest }): [number, [string, number][]] => [
      step,
      [
        ['loss', loss],
        ['grad_norm', gradientNorm],
        ['learning_rate', learningRate],
        ['train/penalty', penalty],
        ['train/tokens', trainedTokens],
        ['train/tokens_per_second', tokensPerSecond],
        ['train/skipped', Number(skipped)],
        ...(Object.keys(REINFORCED) as (keyof typeof REINFORCED)[]).map((key): [string, number] => [REINFORCED[key], rest[key] ?? Number.NaN]),
      ],
    ]),
    ...evaluations.map(({ step, heldOutLoss, outOfDomainLoss, seconds, inDomain, outOfDomain, groups }): [number, [string, number][]] => [
      step,
      [
        ['eval_loss', heldOutLoss],
        ['eval_runtime', seconds ?? Number.NaN],
        ...accuracy('eval_id/', inDomain),
        ['eval_ood/loss', outOfDomainLoss],
        ...accuracy('eval_ood/', outOfDomain),
        ...groups.flatMap(({ group, ...scores }) => accuracy(`eval_ood/${group}/`, scores)),
      ],
    ]),
    ...drifts.map(({ step, matrices }): [number, [string, number][]] => [
      step,
      matrices.flatMap(({ name, leftAngles, rightAngles, vectorAlignment, relativeChange }): [string, number][] => [
        [`spectral/${name}/mean_angle`, mean([...leftAngles, ...rightAngles])],
        [`spectral/${name}/alignment`, vectorAlignment],
        [`spectral/${name}/relative_change`, relativeChange],
      ]),
    ]),
    ...followed.map(({ step, states = [], outputs }): [number, [string, number][]] => [
      step,
      [
        ...states.flatMap(({ layer, cka, cosine, pcaShift }): [string, number][] => {
          const place = layer === undefined ? 'drift/' : `drift/layer_${layer}/`;
          return [
            [`${place}cka`, cka],
            [`${place}cosine`, cosine],
            [`${place}pca_shift`, pcaShift],
          ];
        }),
        ...(outputs
          ? ([
              ['drift/kl_base_tuned', outputs.baseToTuned.mean],
              ['drift/kl_tuned_base', outputs.tunedToBase.mean],
              ['drift/jensen_shannon', outputs.jensenShannon.mean],
            ] as [string, number][])
          : []),
      ],
    ]),
  ];
  return entries
    .toSorted(([a], [b]) => a - b)
    .map(([step, values]) => Object.fromEntries([['epoch', epoch(step)], ...values, ['step', step]].filter(([, value]) => Number.isFinite(value))) as Entry);
}

/** trainer_state.json. What this lab does not count (floating-point operations) stands at the default that TrainerState gives it. */
export function writeTrainerState(history: RunHistory, plan: RunPlan): string {
  const { maxSteps, batchSize, microBatchSize, examples, evaluateEvery } = plan;
  const done = history.steps.at(-1)?.step ?? 0;
  const state = {
    best_global_step: null,
    best_metric: null,
    best_model_checkpoint: null,
    epoch: (done * batchSize) / examples,
    eval_steps: evaluateEvery,
    global_step: done,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: logHistory(history, plan),
    logging_steps: 1,
    max_steps: maxSteps,
    num_input_tokens_seen: 0,
    num_train_epochs: Math.ceil((maxSteps * batchSize) / examples),
    save_steps: maxSteps,
    stateful_callbacks: {},
    total_flos: 0,
    train_batch_size: microBatchSize,
    trial_name: null,
    trial_params: null,
  };
  return `${JSON.stringify(state, null, 2)}\n`;
}

/** metrics.csv: a row a step with what was measured after it, without the matrices, layers and groups, which trainer_state.json and metrics.jsonl have. */
export function writeMetricsCsv(history: RunHistory, plan: RunPlan): string {
  const rows = new Map<number, Record<string, number>>();
  for (const entry of logHistory({ ...history, drifts: [] }, plan)) {
    const values = Object.entries(entry).filter(([key]) => key.split('/').length < 3);
    rows.set(entry['step']!, { ...rows.get(entry['step']!), ...Object.fromEntries(values) });
  }
  for (const { step, matrices } of history.drifts) {
    if (matrices.length === 0) continue;
    const angle = mean(matrices.map(({ leftAngles, rightAngles }) => mean([...leftAngles, ...rightAngles])));
    rows.set(step, { ...rows.get(step), 'spectral/mean_angle': angle, 'spectral/relative_change': mean(matrices.map(({ relativeChange }) => relativeChange)) });
  }
  const table = [...rows].toSorted(([a], [b]) => a - b).map(([step, values]): Record<string, number> => ({ step, ...values }));
  const columns = [...new Set(['step', 'epoch', ...table.flatMap((row) => Object.keys(row))])];
  return `${Papa.unparse(table, { columns, newline: '\n' })}\n`;
}

/** metrics.jsonl: every measurement as it was made, one a line with its `type`. */
export function writeMetricsLines({ steps, evaluations, drifts, starts, followed }: RunHistory): string {
  const lines = [
    ...steps.map((step) => ({ type: 'step', ...step })),
    ...evaluations.map((evaluation) => ({ type: 'evaluation', ...evaluation })),
    ...starts.map((evaluation) => ({ type: 'start', ...evaluation })),
    ...drifts.map((drift) => ({ type: 'drift', ...drift })),
    ...followed.map((each) => ({ type: 'followed', ...each })),
  ].toSorted((a, b) => a.step - b.step);
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/**
 * The history that metrics.jsonl holds, for charts and for a run that goes on counting from there.
 * @throws FormatError naming the line and the field
 */
export function readMetricsLines(text: string, fileName = 'metrics.jsonl'): RunHistory {
  const history: { [K in keyof RunHistory]: RunHistory[K][number][] } = { steps: [], evaluations: [], drifts: [], starts: [], followed: [] };
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const fail = (what: string): never => {
      throw new FormatError(fileName, `line ${index + 1}`, what);
    };
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      fail(`not valid JSON (${error instanceof Error ? error.message : String(error)})`);
    }
    const type = isObject(value) ? value['type'] : fail('not a JSON object');
    if (type === 'step') history.steps.push(conform(value, STEP, '', fail) as LoggedStep);
    else if (type === 'evaluation') history.evaluations.push(conform(value, EVALUATION, '', fail) as LoggedEvaluation);
    else if (type === 'start') history.starts.push(conform(value, EVALUATION, '', fail) as LoggedEvaluation);
    else if (type === 'drift') history.drifts.push(conform(value, DRIFT, '', fail) as RunHistory['drifts'][number]);
    else if (type === 'followed') history.followed.push(conform(value, FOLLOWED, '', fail) as LoggedFollowed);
    else fail(`type is ${show(type)}, not "step", "evaluation", "start", "drift" or "followed"`);
  }
  return history;
}

const STEP = { step: 1, loss: 1, 'crossEntropy?': 1, penalty: 1, gradientNorm: 1, learningRate: 1, trainedTokens: 1, tokensPerSecond: 1, skipped: false, 'reward?': 1, 'answerTokens?': 1, 'ended?': 1, 'entropy?': 1, 'mixedGroups?': 1, 'clipShare?': 1 };
const ACCURACY = { correct: 1, items: 1, low: 0, high: 1 };
const EVALUATION = { step: 1, heldOutLoss: 1, outOfDomainLoss: 1, 'seconds?': 1, inDomain: ACCURACY, outOfDomain: ACCURACY, groups: [{ group: '', ...ACCURACY }] } as const;
const BLOCK = { share: 1, diagonal: 1, offDiagonal: 1, chance: 1 };
const MATRIX = { name: '', 'layer?': 1, module: '', shape: [1], k: 1, leftAngles: [1], rightAngles: [1], vectorAlignment: 1, matchedAlignment: 1, block: BLOCK, sigma0: [1], sigma: [1], relativeChange: 1 } as const;
const DRIFT = { step: 1, matrices: [MATRIX] } as const;
const STATE = { 'layer?': 1, cka: 1, cosine: 1, pcaShift: 1, explained: 1 };
const ESTIMATE = { mean: 1, low: 1, high: 1 };
const FOLLOWED = { step: 1, tokens: 1, seconds: 1, 'states?': [STATE], 'outputs?': { baseToTuned: ESTIMATE, tunedToBase: ESTIMATE, jensenShannon: ESTIMATE } } as const;

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
