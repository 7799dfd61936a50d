/**
 * @file Every fine-tuning method in one table: what it is called, minimises, takes and costs, and where it comes from. The
 * page, the runner and the docs read it; it holds data alone and imports nothing.
 *
 * A method is an objective on the data with a penalty on the weights or without. The penalties go with every objective:
 * `partsOf` says which two a run has.
 */

/** What is minimised on the data (objectives.ts). */
export type ObjectiveId = 'sft' | 'dft' | 'iw-sft' | 'kl-sft';

/** What holds the weights (penalties.ts). */
export type PenaltyId = 'rpsft' | 'l2sp' | 'two-sided-rpsft' | 'random-basis' | 'tail-basis' | 'projection';

export type MethodId = ObjectiveId | PenaltyId;

/** The same formula for a renderer, for plain text, and to be read out. */
export interface MethodFormula {
  readonly latex: string;
  readonly text: string;
  readonly spoken: string;
}

/** Where a method was published; `url` is missing for what is ours. */
export interface MethodSource {
  readonly title: string;
  readonly authors: string;
  readonly url?: string;
}

/** A number that a method takes. */
export interface NumberParameter {
  readonly kind: 'number';
  readonly id: 'lambda' | 'rankFraction' | 'tau' | 'beta';
  readonly name: string;
  readonly symbol: string;
  readonly description: string;
  /** For the built-in model and all weights. */
  readonly default: number;
  readonly least: number;
  readonly most: number;
  /** Of a slider: the distance of two values, or on a `log` scale their ratio. */
  readonly step: number;
  readonly scale: 'linear' | 'log';
  /** '' where it has none. */
  readonly unit: string;
}

/** A choice of yes or no. */
export interface FlagParameter {
  readonly kind: 'flag';
  readonly id: 'throughScale';
  readonly name: string;
  readonly description: string;
  readonly default: boolean;
}

export type MethodParameter = NumberParameter | FlagParameter;

/** Directions a method holds: the top-k singular vectors, k random ones, or those of the k smallest values. */
export type HeldKind = 'top' | 'random' | 'tail';

export interface MethodInfo {
  readonly id: MethodId;
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What it does and what it does not, in plain words. */
  readonly explanation: string;
  readonly objective: ObjectiveId;
  /** Absent for plain objectives, which take any penalty beside them. */
  readonly penalty?: PenaltyId;
  /** Shows what another method is worth, and is not meant to be the best. */
  readonly control: boolean;
  readonly parameters: readonly MethodParameter[];
  readonly formula: MethodFormula;
  /** The formula of the penalty over adapters, where it reads otherwise. */
  readonly adapterFormula?: MethodFormula;
  readonly source: MethodSource;
  /** Runs the pretrained model beside the one that is trained. */
  readonly needsReference: boolean;
  readonly holds?: HeldKind;
  /** Goes with LoRA. */
  readonly adapters: boolean;
  /** What a step takes beyond one of SFT; m x n matrices, T tokens a step. */
  readonly cost: string;
}

const lambda = (value: number, description = 'Weight of the penalty beside the loss. Too small holds nothing, too large stops learning.'): NumberParameter => ({
  kind: 'number', id: 'lambda', name: 'Strength', symbol: 'λ', description, default: value, least: 0, most: 10_000, step: 1.25, scale: 'log', unit: '',
});

const rankFraction: NumberParameter = {
  kind: 'number', id: 'rankFraction', name: 'Share of rank', symbol: 'k', description: 'How many directions of each matrix are held, as a share of its smaller side.', default: 0.5, least: 0.01, most: 1, step: 0.01, scale: 'linear', unit: 'of the smaller side',
};

const RPSFT_SOURCE: MethodSource = { title: 'Rotation-preserving supervised fine-tuning', authors: 'arXiv 2605.10973', url: 'https://arxiv.org/abs/2605.10973' };
const OURS: MethodSource = { title: 'A control of this lab', authors: 'ours' };

const BLOCK_COST = '4mnk + 4·min(m, n)·k² operations a matrix and step beside 6mnT; the bases take (m + n)k numbers a matrix';

const block = (u: string, v: string, words: string): MethodFormula => ({
  latex: String.raw`L = L_{\mathrm{SFT}} + \lambda \sum_W \lVert ${u}^\top (W - W_0) ${v} \rVert_F^2`,
  text: `L = L_SFT + λ Σ_W ‖${u}ᵀ(W − W₀)${v}‖²`,
  spoken: `Loss of SFT plus lambda times the sum over weights of the squared Frobenius norm of U transposed times W minus W zero times V, ${words}`,
});

const adapterBlock = (u: string, v: string, words: string): MethodFormula => ({
  latex: String.raw`L = L_{\mathrm{SFT}} + \lambda \sum_W \lVert ${u}^\top (s B A) ${v} \rVert_F^2`,
  text: `L = L_SFT + λ Σ_W ‖${u}ᵀ(s B A)${v}‖²`,
  spoken: `Loss of SFT plus lambda times the sum over weights of the squared Frobenius norm of U transposed times s B A times V, ${words}`,
});

const TOP_WORDS = 'U and V the singular vectors of the k largest values of W zero';
const RANDOM_WORDS = 'U and V k random orthonormal columns each';
const TAIL_WORDS = 'U and V the singular vectors of the k smallest values of W zero';

/** In the order of the page: plain, RPSFT and its kin, other objectives, controls. */
export const METHODS: readonly MethodInfo[] = [
  {
    id: 'sft',
    name: 'SFT',
    summary: 'Cross-entropy on the answer',
    explanation: 'Plain fine-tuning. Nothing holds the weights, so it learns fastest at a given rate and forgets most.',
    objective: 'sft',
    control: false,
    parameters: [],
    formula: {
      latex: String.raw`L_{\mathrm{SFT}} = -\frac{1}{N} \sum_t \log p_t`,
      text: 'L_SFT = −(1/N) Σ_t log p_t',
      spoken: 'Loss is the mean over the N trained tokens of minus log p of the token',
    },
    source: { title: 'Supervised fine-tuning', authors: 'common practice' },
    needsReference: false,
    adapters: true,
    cost: 'none',
  },
  {
    id: 'rpsft',
    name: 'RPSFT',
    summary: 'Holds each top singular block',
    explanation: 'Penalises change between the strongest directions of each pretrained matrix; all other directions stay free. It holds singular values and the mixing of vectors inside the block, not the angle of the whole subspace.',
    objective: 'sft',
    penalty: 'rpsft',
    control: false,
    parameters: [lambda(10), rankFraction],
    formula: block('U_k', 'V_k', TOP_WORDS),
    adapterFormula: adapterBlock('U_k', 'V_k', TOP_WORDS),
    source: RPSFT_SOURCE,
    needsReference: false,
    holds: 'top',
    adapters: true,
    cost: BLOCK_COST,
  },
  {
    id: 'two-sided-rpsft',
    name: 'Two-sided RPSFT',
    summary: 'Holds whatever a leading direction goes into or comes out of',
    explanation: 'Our step beyond the paper: it also holds what turns the leading directions against the rest, so that principal angles stay small. Wants a strength about a thousand times smaller than RPSFT.',
    objective: 'sft',
    penalty: 'two-sided-rpsft',
    control: false,
    parameters: [lambda(0.01), { ...rankFraction, default: 0.2 }],
    formula: {
      latex: String.raw`L = L_{\mathrm{SFT}} + \lambda \sum_W \bigl( \lVert U_k^\top \Delta W \rVert_F^2 + \lVert (I - U_k U_k^\top)\, \Delta W\, V_k \rVert_F^2 \bigr), \quad \Delta W = W - W_0`,
      text: 'L = L_SFT + λ Σ_W ‖U_kᵀ ΔW‖² + λ Σ_W ‖(I − U_k U_kᵀ) ΔW V_k‖², ΔW = W − W₀',
      spoken: `Loss of SFT plus lambda times the sum over weights of this, the squared norm of U transposed times delta W, plus that of delta W times V outside the span of U, ${TOP_WORDS}`,
    },
    adapterFormula: {
      latex: String.raw`L = L_{\mathrm{SFT}} + \lambda s^2 \sum_W \bigl( \lVert U_k^\top B A \rVert_F^2 + \lVert (I - U_k U_k^\top)\, B A\, V_k \rVert_F^2 \bigr)`,
      text: 'L = L_SFT + λ s² Σ_W ‖U_kᵀ B A‖² + λ s² Σ_W ‖(I − U_k U_kᵀ) B A V_k‖²',
      spoken: `Loss of SFT plus lambda s squared times the sum over weights of this, the squared norm of U transposed times B A, plus that of B A times V outside the span of U, ${TOP_WORDS}`,
    },
    source: { title: 'Two-sided RPSFT', authors: 'ours, after arXiv 2605.10973' },
    needsReference: false,
    holds: 'top',
    adapters: true,
    cost: '8mnk + 4mk² operations a matrix and step, twice RPSFT; the same bases',
  },
  {
    id: 'l2sp',
    name: 'L2-SP',
    summary: 'Pulls every weight back',
    explanation: 'Penalises the distance of every weight from its pretrained value. Needs no decomposition; well tuned it is a strong rival.',
    objective: 'sft',
    penalty: 'l2sp',
    control: false,
    parameters: [lambda(0.003)],
    formula: {
      latex: String.raw`L = L_{\mathrm{SFT}} + \lambda \sum_W \lVert W - W_0 \rVert_F^2`,
      text: 'L = L_SFT + λ Σ_W ‖W − W₀‖²',
      spoken: 'Loss of SFT plus lambda times the sum over weights of the squared Frobenius norm of W minus W zero',
    },
    adapterFormula: {
      latex: String.raw`L = L_{\mathrm{SFT}} + \lambda \sum_W \lVert s B A \rVert_F^2`,
      text: 'L = L_SFT + λ Σ_W ‖s B A‖²',
      spoken: 'Loss of SFT plus lambda times the sum over weights of the squared Frobenius norm of s B A',
    },
    source: { title: 'Explicit inductive bias for transfer learning with convolutional networks', authors: 'Li, Grandvalet & Davoine, arXiv 1802.01483', url: 'https://arxiv.org/abs/1802.01483' },
    needsReference: false,
    adapters: true,
    cost: 'one pass over the weights a step',
  },
  {
    id: 'dft',
    name: 'DFT',
    summary: 'Learns least from what it finds unlikely',
    explanation: 'Each token counts by the probability the model gives it, so hard tokens pull little. What the model cannot do at all it hardly learns.',
    objective: 'dft',
    control: false,
    parameters: [],
    formula: {
      latex: String.raw`L = -\frac{1}{N} \sum_t \mathrm{sg}(p_t) \log p_t`,
      text: 'L = −(1/N) Σ_t sg(p_t) log p_t',
      spoken: 'Loss is the mean over the N trained tokens of minus p times log p, the factor p held fixed where it is differentiated',
    },
    source: { title: 'On the generalization of SFT: a reinforcement learning perspective with reward rectification', authors: 'arXiv 2508.05629', url: 'https://arxiv.org/abs/2508.05629' },
    needsReference: false,
    adapters: true,
    cost: 'none',
  },
  {
    id: 'iw-sft',
    name: 'IW-SFT',
    summary: 'Counts an answer by how much likelier it has become',
    explanation: 'Each answer counts by the ratio of its probabilities now and before training, at most 16 times. The factor is held fixed where the loss is differentiated.',
    objective: 'iw-sft',
    control: false,
    parameters: [
      { kind: 'number', id: 'tau', name: 'Sharpness', symbol: 'τ', description: 'How strongly the ratio counts; at 0 the method is SFT.', default: 1, least: 0, most: 10, step: 0.05, scale: 'linear', unit: '' },
      {
        kind: 'flag',
        id: 'throughScale',
        name: 'Differentiate the factor',
        description: 'The form that the authors of RPSFT released. Answers with a mean loss above 1/τ are then unlearned in place of learned.',
        default: false,
      },
    ],
    formula: {
      latex: String.raw`L = -\frac{1}{N} \sum_i s_i \sum_{t \in i} \log p_t, \quad s_i = \min\bigl(e^{\tau d_i}, 16\bigr), \quad d_i = \frac{1}{\lvert i \rvert} \sum_{t \in i} \log \frac{p_t}{q_t}`,
      text: 'L = −(1/N) Σ_i s_i Σ_t log p_t, s_i = min(exp(τ d_i), 16), d_i = mean_t log(p_t / q_t)',
      spoken: 'Loss is the mean over the N trained tokens of minus log p, each answer times s, where s is the exponential of tau times the mean over the answer of log p minus log q of the pretrained model, at most 16',
    },
    source: { title: 'Supervised fine tuning on curated data is reinforcement learning (and can be improved)', authors: 'Qin & Springenberg, arXiv 2507.12856; the mean over tokens and the limit of 16 as RPSFT compares with', url: 'https://arxiv.org/abs/2507.12856' },
    needsReference: true,
    adapters: true,
    cost: 'a forward pass of the pretrained model, and the logits once more: over a third of a step. No second copy of weights',
  },
  {
    id: 'kl-sft',
    name: 'KL-SFT',
    summary: 'Stays near the pretrained predictions',
    explanation: 'Penalises how far the predictions on the training text move from those of the pretrained model, over the whole vocabulary. It holds what the model says there, not its weights.',
    objective: 'kl-sft',
    control: false,
    parameters: [{ kind: 'number', id: 'beta', name: 'Strength', symbol: 'β', description: 'Weight of the divergence beside the loss.', default: 0.1, least: 0, most: 100, step: 1.25, scale: 'log', unit: '' }],
    formula: {
      latex: String.raw`L = L_{\mathrm{SFT}} + \frac{\beta}{N} \sum_t \mathrm{KL}\bigl(p(\cdot \mid t) \,\Vert\, q(\cdot \mid t)\bigr)`,
      text: 'L = L_SFT + (β/N) Σ_t KL(p_t ‖ q_t)',
      spoken: 'Loss of SFT plus beta times the mean over the N trained tokens of the divergence of the predicted distribution p from that of the pretrained model, q',
    },
    source: { title: 'SFT with a divergence to the pretrained model, a baseline of RPSFT', authors: 'arXiv 2605.10973', url: 'https://arxiv.org/abs/2605.10973' },
    needsReference: true,
    adapters: true,
    cost: 'a forward pass of the pretrained model: about a third of a step. One more chunk of logits and one tensor of hidden states; no second copy of weights',
  },
  {
    id: 'random-basis',
    name: 'Random basis',
    summary: 'RPSFT with random directions',
    explanation: 'As RPSFT, with as many random directions in place of the strongest. What it keeps is owed to holding anything at all.',
    objective: 'sft',
    penalty: 'random-basis',
    control: true,
    parameters: [lambda(10), rankFraction],
    formula: block('R', 'Q', RANDOM_WORDS),
    adapterFormula: adapterBlock('R', 'Q', RANDOM_WORDS),
    source: OURS,
    needsReference: false,
    holds: 'random',
    adapters: true,
    cost: BLOCK_COST,
  },
  {
    id: 'tail-basis',
    name: 'Tail basis',
    summary: 'RPSFT with the weakest directions',
    explanation: 'As RPSFT, with the directions of the smallest singular values in place of the largest. If it keeps as much, it is not the strong ones that matter.',
    objective: 'sft',
    penalty: 'tail-basis',
    control: true,
    parameters: [lambda(10), rankFraction],
    formula: block('U_{-k}', 'V_{-k}', TAIL_WORDS),
    adapterFormula: adapterBlock('U_{-k}', 'V_{-k}', TAIL_WORDS),
    source: OURS,
    needsReference: false,
    holds: 'tail',
    adapters: true,
    cost: BLOCK_COST,
  },
  {
    id: 'projection',
    name: 'Gradient projection',
    summary: 'RPSFT with λ without bound',
    explanation: 'Takes the block out of every gradient before it is clipped. Under AdamW, which divides entry by entry, a part of each step leads back into the block, so it stays small and not zero. Adapters have no gradient of a whole matrix, so it trains all weights only.',
    objective: 'sft',
    penalty: 'projection',
    control: true,
    parameters: [rankFraction],
    formula: {
      latex: String.raw`G \leftarrow G - U_k U_k^\top G\, V_k V_k^\top`,
      text: 'G ← G − U_k U_kᵀ G V_k V_kᵀ',
      spoken: `From the gradient G of each weight is taken U U transposed G V V transposed, ${TOP_WORDS}`,
    },
    source: { title: 'The limit of RPSFT', authors: 'ours' },
    needsReference: false,
    holds: 'top',
    adapters: false,
    cost: BLOCK_COST,
  },
];

const byId = new Map(METHODS.map((method) => [method.id, method]));

/** @throws {RangeError} for a method that is not there */
export function methodInfo(id: MethodId): MethodInfo {
  const info = byId.get(id);
  if (!info) throw new RangeError(`There is no method ${id}; there are ${[...byId.keys()].join(', ')}.`);
  return info;
}

/** For settings that come from a file. */
export const isMethod = (id: unknown): id is MethodId => byId.has(id as MethodId);

export const isPenalty = (id: unknown): id is PenaltyId => METHODS.some(({ penalty }) => penalty === id && id !== undefined);

/** The settings that decide what a run is made of. */
export interface MethodChoice {
  readonly method: MethodId;
  /** Strength of the penalty. A method that is an objective alone takes a penalty when this is above 0; `sft` never does. */
  readonly lambda: number;
  /** The penalty beside such an objective; RPSFT's when left out. */
  readonly penalty?: PenaltyId | undefined;
}

/** What a run minimises on the data, and what holds its weights; `penalty` is absent when nothing does. */
export function partsOf({ method, lambda: strength, penalty = 'rpsft' }: MethodChoice): { readonly objective: ObjectiveId; readonly penalty?: PenaltyId } {
  const { objective, penalty: own } = methodInfo(method);
  if (own) return { objective, penalty: own };
  return method !== 'sft' && strength > 0 ? { objective, penalty } : { objective };
}

/** The directions that a penalty holds; undefined where it needs none. */
export const heldBy = (penalty: PenaltyId | undefined): HeldKind | undefined => (penalty ? methodInfo(penalty).holds : undefined);

/** What a number or flag of a method is when nobody has set it. @throws {RangeError} when the method has no such parameter */
export function defaultOf(method: MethodId, id: NumberParameter['id']): number {
  const parameter = methodInfo(method).parameters.find((each) => each.id === id);
  if (parameter?.kind !== 'number') throw new RangeError(`${method} has no parameter ${id}.`);
  return parameter.default;
}

/** The penalty that was put beside a plain objective, also while its strength is 0; undefined where the method has its own or takes none. */
export function addedPenalty(choice: MethodChoice): PenaltyId | undefined {
  if (choice.method === 'sft' || methodInfo(choice.method).penalty) return undefined;
  return choice.penalty ?? partsOf(choice).penalty;
}

/** "RPSFT", "DFT + RPSFT". */
export function choiceName(choice: MethodChoice): string {
  const added = addedPenalty(choice);
  return added ? `${methodInfo(choice.method).name} + ${methodInfo(added).name}` : methodInfo(choice.method).name;
}

/** What a run can be set by: the parameters of its method, and those of the penalty beside it. */
export function parametersOf(choice: MethodChoice): readonly MethodParameter[] {
  const added = addedPenalty(choice);
  return [...methodInfo(choice.method).parameters, ...(added ? methodInfo(added).parameters : [])];
}
