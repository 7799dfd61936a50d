/**
 * @file The language-model head with the losses that need its logits. Logits exist for one chunk of tokens at a time, and
 * backward they are overwritten by their own gradient, so the largest tensor of a model is never held.
 *
 * The operation stands for the scalar sum_t loss_t, so it needs no incoming gradient. Derived from:
 * https://arxiv.org/abs/2410.10989 (fused linear cross-entropy).
 */
import crossEntropySource from '../../../shaders/cross-entropy.wgsl?raw';
import { matmulCalls, planMatmul } from '../../gpu/matmul.ts';
import type { MatmulShape } from '../../gpu/matmul.ts';
import type { AdapterFacts } from '../../gpu/device.ts';
import type { Call, Slice } from '../../gpu/kernel.ts';
import { kernel } from '../../gpu/kernel.ts';
import type { Graph, KernelContext, Operation, ReferenceArray, Tensor, TensorType } from '../graph.ts';
import { expectShape, expectWeight, floatType } from '../graph.ts';
import { rowGrid, rowLanes } from '../rows.ts';
import { ontoParameter } from './matmul.ts';

/** The label of a token that is not trained. */
export const IGNORED = 0xffffffff;

/** A chunk of logits is at most this large; 8 MiB keeps small vocabularies in one chunk and large ones in cache reach. */
const CHUNK_BYTES = 8 * 2 ** 20;

/** Tokens whose logits exist at once: a multiple of 64, so that chunks of any width start at aligned offsets. */
export function logitsChunk(tokens: number, vocabulary: number, facts: AdapterFacts): number {
  const bytes = Math.max(CHUNK_BYTES, Math.min(facts.limits.maxStorageBufferBindingSize, 256 * 4 * vocabulary));
  const rows = Math.max(64, Math.floor(bytes / (4 * vocabulary) / 64) * 64);
  return Math.min(tokens, rows);
}

/**
 * What a token's loss is, times its weight: `nll` = -log p; `dft` = -p log p with p held fixed where it is differentiated
 * (arXiv 2508.05629); `kl` = -log p + beta KL(p || q) over the whole vocabulary, q of a reference model; `policy` = the
 * clipped surrogate of PPO (arXiv 1707.06347), -min(r A, clip(r) A) with r the ratio of p to p under the policy that
 * sampled the token, and A its advantage.
 */
export type HeadObjective = 'nll' | 'dft' | 'kl' | 'policy';

/** Numbers of a token in the `policy` input; `writePolicy` writes them. */
const POLICY_NUMBERS = 4;

interface Attributes {
  readonly objective: HeadObjective;
}

interface Sizes {
  readonly tokens: number;
  readonly width: number;
  readonly vocabulary: number;
}

const sizes = ([x, table]: readonly TensorType[]): Sizes => ({ tokens: x!.shape[0]!, width: x!.shape[1]!, vocabulary: table!.shape[0]! });

/** After the inputs that every objective has, `kl` has x and head of the reference and beta, `policy` the numbers of its tokens. */
function checkInputs([x, table, labels, weights, gradientWeights, ...reference]: readonly TensorType[], { objective }: Attributes): void {
  const { tokens, width, vocabulary } = sizes([x!, table!]);
  expectShape('headLoss', 'x', x!, [tokens, width]);
  expectWeight('headLoss', 'the head', table!, [undefined, width]);
  expectShape('headLoss', 'the labels', labels!, [tokens], 'u32');
  expectShape('headLoss', 'the weights', weights!, [tokens]);
  expectShape('headLoss', 'the weights of the gradient', gradientWeights!, [tokens]);
  if (objective === 'policy') expectShape('headLoss', 'the numbers of the policy', reference[0]!, [tokens, POLICY_NUMBERS]);
  if (objective !== 'kl') return;
  const [referenceX, referenceHead, beta] = reference;
  expectShape('headLoss', 'x of the reference', referenceX!, [tokens, width]);
  expectWeight('headLoss', 'the head of the reference', referenceHead!, [vocabulary, width]);
  expectShape('headLoss', 'beta', beta!, [1]);
}

const part = ({ buffer, offset }: Slice, fromByte: number, size: number): Slice => ({ buffer, offset: offset + fromByte, size });

/** Room for the logits of a chunk, and for those of the reference where there is one. */
function logitsRoom({ facts, inputs, attributes, scratch }: KernelContext<Attributes>): Rooms {
  const { tokens, vocabulary } = sizes(inputs);
  const chunk = logitsChunk(tokens, vocabulary, facts);
  const room = (): Slice => scratch(4 * chunk * vocabulary, 'logits');
  return { chunk, logits: room(), ...(attributes.objective === 'kl' && { reference: room() }) };
}

interface Rooms {
  readonly chunk: number;
  readonly logits: Slice;
  readonly reference?: Slice;
}

/** Where a chunk's numbers go: nll, loss, entropy where the objective has it and, without `gradient`, argmax. */
interface ChunkOutputs {
  readonly nll: Slice;
  readonly loss: Slice;
  readonly entropy: Slice | undefined;
  readonly argmax?: Slice;
}

/** The calls of one chunk up to its losses; without `argmax` among the outputs, `logits` holds their gradient afterwards. */
function chunkCalls(context: KernelContext<Attributes>, { logits, reference }: Rooms, first: number, rows: number, { nll, loss, entropy, argmax }: ChunkOutputs): Call[] {
  const { facts, inputs, attributes: { objective } } = context;
  const { width, vocabulary } = sizes(inputs);
  const [x, , labels, weights, gradientWeights, extra, , beta] = inputs.map(({ slice }) => slice);
  const gradient = argmax === undefined;
  const rowPart = (slice: Slice): Slice => part(slice, 4 * first, 4 * rows);
  const logitsOf = (from: Slice, head: number, to: Slice): Call[] =>
    product(context, { layout: 'NT', m: rows, n: vocabulary, k: width, bType: floatType(inputs[head]!) }, part(from, 4 * first * width, 4 * rows * width), inputs[head]!.slice, to);
  return [
    ...logitsOf(x!, 1, logits),
    ...(reference ? logitsOf(extra!, 6, reference) : []),
    {
      kernel: kernel(
        gradient ? 'crossEntropyGradient' : 'crossEntropy',
        crossEntropySource,
        ['write', 'read', 'read', 'write', 'write', gradient ? 'read' : 'write', ...(reference ? ['read' as const, 'read' as const] : []), ...(entropy ? ['read' as const, 'write' as const] : [])],
        { ROWS: rows, VOCABULARY: vocabulary, LANES: rowLanes(facts), GRADIENT: gradient, TIMES_PROBABILITY: objective === 'dft', DIVERGENCE: objective === 'kl', POLICY: objective === 'policy' },
      ),
      slices: [
        logits,
        ...[labels!, weights!, nll, loss, argmax ?? gradientWeights!].map(rowPart),
        ...(reference ? [reference, beta!] : []),
        ...(entropy ? [part(extra!, 4 * POLICY_NUMBERS * first, 4 * POLICY_NUMBERS * rows), rowPart(entropy)] : []),
      ],
      grid: rowGrid(rows),
    },
  ];
}

function product({ facts, scratch }: KernelContext<unknown>, shape: MatmulShape, a: Slice, b: Slice, c: Slice): Call[] {
  const plan = planMatmul(shape, facts);
  return matmulCalls(plan, { a, b, c, ...(plan.scratchBytes > 0 ? { scratch: scratch(plan.scratchBytes) } : {}) });
}

/** The chunks of a batch as first token and number of tokens. */
function* chunks(tokens: number, chunk: number): Generator<readonly [first: number, rows: number]> {
  for (let first = 0; first < tokens; first += chunk) yield [first, Math.min(chunk, tokens - first)];
}

/** log p of every token of the vocabulary for one row, in f64. */
function logSoftmax(x: Float64Array, table: Float64Array, row: number, { width, vocabulary }: Sizes): Float64Array {
  const logits = Float64Array.from({ length: vocabulary }, (_, v) => {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += x[row * width + i]! * table[v * width + i]!;
    return sum;
  });
  const most = logits.reduce((a, b) => Math.max(a, b));
  const normaliser = most + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - most), 0));
  return logits.map((value) => value - normaliser);
}

interface RowLoss {
  readonly nll: number;
  readonly loss: number;
  readonly argmax: number;
  readonly entropy: number;
  readonly gradient: Float64Array;
}

/** A row in f64: its nll, loss at a weight of 1, most likely token, entropy, and the gradient of that loss by the logits. */
function lossOfRow(inputs: readonly ReferenceArray[], row: number, size: Sizes, objective: HeadObjective): RowLoss {
  const [x, table, labels, , , extra, referenceTable, beta] = inputs;
  const logProbabilities = logSoftmax(x!, table!, row, size);
  const argmax = logProbabilities.indexOf(logProbabilities.reduce((a, b) => Math.max(a, b)));
  const label = labels![row]!;
  if (label === IGNORED) return { nll: 0, loss: 0, argmax, entropy: 0, gradient: new Float64Array(size.vocabulary) };
  const nll = -logProbabilities[label]!;
  const probabilities = logProbabilities.map(Math.exp);
  const entropy = -probabilities.reduce((sum, p, v) => sum + p * logProbabilities[v]!, 0);
  const slope = probabilities.map((p, v) => p - (v === label ? 1 : 0));
  const made = { nll, argmax, entropy };
  if (objective === 'nll') return { ...made, loss: nll, gradient: slope };
  if (objective === 'dft') return { ...made, loss: probabilities[label]! * nll, gradient: slope.map((d) => probabilities[label]! * d) };
  if (objective === 'policy') {
    const [sampledNll, known, advantage, bound] = extra!.subarray(POLICY_NUMBERS * row, POLICY_NUMBERS * (row + 1)) as unknown as [number, number, number, number];
    const ratio = known === 1 ? Math.exp(sampledNll - nll) : 1;
    const clipped = isClipped(ratio, advantage, bound);
    return { ...made, loss: -(clipped ? bound : ratio) * advantage, gradient: slope.map((d) => (clipped ? 0 : ratio * advantage * d)) };
  }
  const referenceLog = logSoftmax(extra!, referenceTable!, row, size);
  const ratios = logProbabilities.map((p, v) => p - referenceLog[v]!);
  const divergence = probabilities.reduce((sum, p, v) => sum + p * ratios[v]!, 0);
  return { ...made, loss: nll + beta![0]! * divergence, gradient: slope.map((d, v) => d + beta![0]! * probabilities[v]! * (ratios[v]! - divergence)) };
}

/** Whether the smaller of r A and clip(r) A is the one that no longer depends on r. @param bound the largest ratio of a positive advantage, the smallest of a negative one */
export const isClipped = (ratio: number, advantage: number, bound: number): boolean => (advantage > 0 ? ratio > bound : advantage < 0 && ratio < bound);

/** Inputs x, head, labels, weights, gradientWeights[, x, head of the reference, beta | policy] -> nll [tokens] (0 where ignored), loss [tokens], argmax u32 [tokens][, entropy [tokens]]. */
const headLossOperation: Operation<Attributes> = {
  name: 'headLoss',
  infer(inputs, attributes) {
    checkInputs(inputs, attributes);
    const { tokens } = sizes(inputs);
    return [
      { shape: [tokens], dtype: 'f32' },
      { shape: [tokens], dtype: 'f32' },
      { shape: [tokens], dtype: 'u32' },
      ...(attributes.objective === 'policy' ? [{ shape: [tokens], dtype: 'f32' } as const] : []),
    ];
  },
  gradient({ inputs, outputs, attributes }, _outputGradients, context) {
    const trainsHead = context.needs(1);
    const onto = trainsHead ? ontoParameter(context, inputs, 1) : undefined;
    const [nll, loss, dx, ...others] = context.graph.apply(headLossGradientOperation, onto ? [...inputs, onto] : inputs, { ...attributes, trainsHead, onto: onto !== undefined });
    context.alsoComputes(outputs[0]!, nll!);
    context.alsoComputes(outputs[1]!, loss!);
    if (attributes.objective === 'policy') context.alsoComputes(outputs[3]!, others.pop()!);
    return [dx, others[0]];
  },
  calls(context) {
    const { tokens } = sizes(context.inputs);
    const rooms = logitsRoom(context);
    const [nll, loss, argmax, entropy] = context.outputs.map(({ slice }) => slice);
    return [...chunks(tokens, rooms.chunk)].flatMap(([first, rows]) => chunkCalls(context, rooms, first, rows, { nll: nll!, loss: loss!, argmax: argmax!, entropy }));
  },
  reference(inputs, { objective }, inputTypes) {
    const size = sizes(inputTypes);
    const rows = Array.from({ length: size.tokens }, (_, row) => lossOfRow(inputs, row, size, objective));
    const of = (number: (made: RowLoss, row: number) => number): Float64Array => Float64Array.from(rows, number);
    return [of(({ nll }) => nll), of(({ loss }, row) => inputs[3]![row]! * loss), of(({ argmax }) => argmax), ...(objective === 'policy' ? [of(({ entropy }) => entropy)] : [])];
  },
};

interface GradientAttributes extends Attributes {
  readonly trainsHead: boolean;
  /** The last input is a tensor that dHead is added to. */
  readonly onto: boolean;
}

/** Inputs of `headLoss`[, onto] -> nll [tokens], loss [tokens], dx [tokens, width], where the head is trained dHead [vocabulary, width], and entropy [tokens] where the objective has it. */
const headLossGradientOperation: Operation<GradientAttributes> = {
  name: 'headLossGradient',
  infer(inputs, { trainsHead, objective }) {
    const { tokens } = sizes(inputs);
    const perToken = { shape: [tokens], dtype: 'f32' } as const;
    return [perToken, perToken, inputs[0]!, ...(trainsHead ? [inputs[1]!] : []), ...(objective === 'policy' ? [perToken] : [])];
  },
  inPlace: (inputCount, { onto }) => (onto ? { output: 3, input: inputCount - 1 } : undefined),
  calls(context) {
    const { tokens, width, vocabulary } = sizes(context.inputs);
    const rooms = logitsRoom(context);
    const { logits } = rooms;
    const [x, table] = context.inputs.map(({ slice }) => slice);
    const { trainsHead, onto, objective } = context.attributes;
    const [nll, loss, dx, ...others] = context.outputs.map(({ slice }) => slice);
    const dHead = trainsHead ? others[0] : undefined;
    const entropy = objective === 'policy' ? others.at(-1) : undefined;
    return [...chunks(tokens, rooms.chunk)].flatMap(([first, rows]) => {
      const bytes = 4 * rows * width;
      const xRows = part(x!, 4 * first * width, bytes);
      return [
        ...chunkCalls(context, rooms, first, rows, { nll: nll!, loss: loss!, entropy }),
        ...product(context, { layout: 'NN', m: rows, n: width, k: vocabulary, bType: floatType(context.inputs[1]!) }, logits, table!, part(dx!, 4 * first * width, bytes)),
        ...(dHead ? product(context, { layout: 'TN', m: vocabulary, n: width, k: rows, accumulate: onto || first > 0 }, logits, xRows, dHead) : []),
      ];
    });
  },
  reference(inputs, { trainsHead, onto, objective }, inputTypes) {
    const size = sizes(inputTypes);
    const { tokens, width, vocabulary } = size;
    const [x, table, , weights, gradientWeights] = inputs;
    const nll = new Float64Array(tokens);
    const loss = new Float64Array(tokens);
    const dx = new Float64Array(tokens * width);
    const entropy = new Float64Array(tokens);
    const dHead = onto ? inputs.at(-1)!.slice() : new Float64Array(vocabulary * width);
    for (let row = 0; row < tokens; row++) {
      const made = lossOfRow(inputs, row, size, objective);
      nll[row] = made.nll;
      loss[row] = weights![row]! * made.loss;
      entropy[row] = made.entropy;
      for (const [v, slope] of made.gradient.entries()) {
        const d = gradientWeights![row]! * slope;
        for (let i = 0; i < width; i++) {
          dx[row * width + i]! += d * table![v * width + i]!;
          dHead[v * width + i]! += d * x![row * width + i]!;
        }
      }
    }
    return [nll, loss, dx, ...(trainsHead ? [dHead] : []), ...(objective === 'policy' ? [entropy] : [])];
  },
};

/** What a loss on the head is beside a weighted sum of nll. */
export interface HeadLossOptions {
  readonly objective?: 'nll' | 'dft';
  /** Weights [tokens] that count in the gradient; those of the loss when left out. */
  readonly gradientWeights?: Tensor;
  /** Makes the objective `kl`: x [tokens, width] and head [vocabulary, width] of the reference model, and beta [1]. */
  readonly divergence?: { readonly x: Tensor; readonly head: Tensor; readonly beta: Tensor };
  /** Makes the objective `policy`: f32 [tokens, 4] as `writePolicy` fills it. */
  readonly policy?: Tensor;
}

/** What the `policy` objective knows of a sampled token. */
export interface PolicyToken {
  /** -log p under the policy that sampled it; where it is undefined, that policy is the one of this very pass and the ratio is 1. */
  readonly sampledNll: number | undefined;
  readonly advantage: number;
  /** The largest ratio that counts for a positive advantage, the smallest for a negative one. */
  readonly bound: number;
}

/** Writes a token's numbers into the array of the `policy` input. */
export function writePolicy(numbers: Float32Array, token: number, { sampledNll, advantage, bound }: PolicyToken): void {
  numbers.set([sampledNll ?? 0, Number(sampledNll !== undefined), advantage, bound], POLICY_NUMBERS * token);
}

/** Floats of the `policy` input. */
export const policyLength = (tokens: number): number => POLICY_NUMBERS * tokens;

/**
 * Per-token negative log-likelihood, loss and most likely token.
 * @param x final-normed hidden states [tokens, width]
 * @param head output embedding [vocabulary, width]
 * @param labels u32 [tokens]; `IGNORED` where nothing is to be predicted
 * @param weights f32 [tokens], what each token counts in the loss (1/N for a mean over N trained tokens)
 * @returns nll and loss [tokens], 0 where ignored; argmax u32 [tokens]
 */
export function headLoss(graph: Graph, x: Tensor, head: Tensor, labels: Tensor, weights: Tensor, options: HeadLossOptions = {}): HeadLoss {
  const { divergence, policy, objective = 'nll', gradientWeights = weights } = options;
  const inputs = [x, head, labels, weights, gradientWeights, ...(divergence ? [divergence.x, divergence.head, divergence.beta] : []), ...(policy ? [policy] : [])];
  const [nll, loss, argmax, entropy] = graph.apply(headLossOperation, inputs, { objective: policy ? 'policy' : divergence ? 'kl' : objective });
  return { nll: nll!, loss: loss!, argmax: argmax!, ...(entropy ? { entropy } : {}) };
}

export interface HeadLoss {
  readonly nll: Tensor;
  /** The weighted loss of each token; the batch's loss is their sum. */
  readonly loss: Tensor;
  readonly argmax: Tensor;
  /** Of the model's distribution over the whole vocabulary, in nats, 0 where ignored; with the objective `policy`. */
  readonly entropy?: Tensor;
}
