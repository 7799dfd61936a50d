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
 * (arXiv 2508.05629); `kl` = -log p + beta KL(p || q) over the whole vocabulary, q of a reference model.
 */
export type HeadObjective = 'nll' | 'dft' | 'kl';

interface Attributes {
  readonly objective: HeadObjective;
}

interface Sizes {
  readonly tokens: number;
  readonly width: number;
  readonly vocabulary: number;
}

const sizes = ([x, table]: readonly TensorType[]): Sizes => ({ tokens: x!.shape[0]!, width: x!.shape[1]!, vocabulary: table!.shape[0]! });

/** Inputs that every objective has; `kl` has x and head of the reference and beta after them. */
const COMMON_INPUTS = 5;
const KL_INPUTS = 8;

function checkInputs([x, table, labels, weights, gradientWeights, ...reference]: readonly TensorType[], { objective }: Attributes): void {
  const { tokens, width, vocabulary } = sizes([x!, table!]);
  expectShape('headLoss', 'x', x!, [tokens, width]);
  expectWeight('headLoss', 'the head', table!, [undefined, width]);
  expectShape('headLoss', 'the labels', labels!, [tokens], 'u32');
  expectShape('headLoss', 'the weights', weights!, [tokens]);
  expectShape('headLoss', 'the weights of the gradient', gradientWeights!, [tokens]);
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

/** Where a chunk's numbers go: nll, loss and, without `gradient`, argmax. */
interface ChunkOutputs {
  readonly nll: Slice;
  readonly loss: Slice;
  readonly argmax?: Slice;
}

/** The calls of one chunk up to its losses; without `argmax` among the outputs, `logits` holds their gradient afterwards. */
function chunkCalls(context: KernelContext<Attributes>, { logits, reference }: Rooms, first: number, rows: number, { nll, loss, argmax }: ChunkOutputs): Call[] {
  const { facts, inputs, attributes: { objective } } = context;
  const { width, vocabulary } = sizes(inputs);
  const [x, , labels, weights, gradientWeights, referenceX, , beta] = inputs.map(({ slice }) => slice);
  const gradient = argmax === undefined;
  const rowPart = (slice: Slice): Slice => part(slice, 4 * first, 4 * rows);
  const logitsOf = (from: Slice, head: number, to: Slice): Call[] =>
    product(context, { layout: 'NT', m: rows, n: vocabulary, k: width, bType: floatType(inputs[head]!) }, part(from, 4 * first * width, 4 * rows * width), inputs[head]!.slice, to);
  return [
    ...logitsOf(x!, 1, logits),
    ...(reference ? logitsOf(referenceX!, 6, reference) : []),
    {
      kernel: kernel(
        gradient ? 'crossEntropyGradient' : 'crossEntropy',
        crossEntropySource,
        ['write', 'read', 'read', 'write', 'write', gradient ? 'read' : 'write', ...(reference ? ['read' as const, 'read' as const] : [])],
        { ROWS: rows, VOCABULARY: vocabulary, LANES: rowLanes(facts), GRADIENT: gradient, TIMES_PROBABILITY: objective === 'dft', DIVERGENCE: objective === 'kl' },
      ),
      slices: [logits, ...[labels!, weights!, nll, loss, argmax ?? gradientWeights!].map(rowPart), ...(reference ? [reference, beta!] : [])],
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

/** A row in f64: its nll, loss at a weight of 1, most likely token, and the gradient of that loss by the logits. */
function lossOfRow(inputs: readonly ReferenceArray[], row: number, size: Sizes, objective: HeadObjective): { nll: number; loss: number; argmax: number; gradient: Float64Array } {
  const [x, table, labels, , , referenceX, referenceTable, beta] = inputs;
  const logProbabilities = logSoftmax(x!, table!, row, size);
  const argmax = logProbabilities.indexOf(logProbabilities.reduce((a, b) => Math.max(a, b)));
  const label = labels![row]!;
  if (label === IGNORED) return { nll: 0, loss: 0, argmax, gradient: new Float64Array(size.vocabulary) };
  const nll = -logProbabilities[label]!;
  const probabilities = logProbabilities.map(Math.exp);
  const slope = probabilities.map((p, v) => p - (v === label ? 1 : 0));
  if (objective === 'nll') return { nll, loss: nll, argmax, gradient: slope };
  if (objective === 'dft') return { nll, loss: probabilities[label]! * nll, argmax, gradient: slope.map((d) => probabilities[label]! * d) };
  const referenceLog = logSoftmax(referenceX!, referenceTable!, row, size);
  const ratios = logProbabilities.map((p, v) => p - referenceLog[v]!);
  const divergence = probabilities.reduce((sum, p, v) => sum + p * ratios[v]!, 0);
  return { nll, loss: nll + beta![0]! * divergence, argmax, gradient: slope.map((d, v) => d + beta![0]! * probabilities[v]! * (ratios[v]! - divergence)) };
}

/** Inputs x, head, labels, weights, gradientWeights[, x, head of the reference, beta] -> nll [tokens] (0 where ignored), loss [tokens], argmax u32 [tokens]. */
const headLossOperation: Operation<Attributes> = {
  name: 'headLoss',
  infer(inputs, attributes) {
    checkInputs(inputs, attributes);
    const { tokens } = sizes(inputs);
    return [
      { shape: [tokens], dtype: 'f32' },
      { shape: [tokens], dtype: 'f32' },
      { shape: [tokens], dtype: 'u32' },
    ];
  },
  gradient({ inputs, outputs, attributes }, _outputGradients, context) {
    const trainsHead = context.needs(1);
    const onto = trainsHead ? ontoParameter(context, inputs, 1) : undefined;
    const [nll, loss, dx, dHead] = context.graph.apply(headLossGradientOperation, onto ? [...inputs, onto] : inputs, { ...attributes, trainsHead });
    context.alsoComputes(outputs[0]!, nll!);
    context.alsoComputes(outputs[1]!, loss!);
    return [dx, dHead];
  },
  calls(context) {
    const { tokens } = sizes(context.inputs);
    const rooms = logitsRoom(context);
    const [nll, loss, argmax] = context.outputs.map(({ slice }) => slice);
    return [...chunks(tokens, rooms.chunk)].flatMap(([first, rows]) => chunkCalls(context, rooms, first, rows, { nll: nll!, loss: loss!, argmax: argmax! }));
  },
  reference(inputs, { objective }, inputTypes) {
    const size = sizes(inputTypes);
    const rows = Array.from({ length: size.tokens }, (_, row) => lossOfRow(inputs, row, size, objective));
    return [Float64Array.from(rows, ({ nll }) => nll), Float64Array.from(rows, ({ loss }, row) => inputs[3]![row]! * loss), Float64Array.from(rows, ({ argmax }) => argmax)];
  },
};

/** Inputs of `headLoss`[, onto] -> nll [tokens], loss [tokens], dx [tokens, width] and, where the head is trained, dHead [vocabulary, width]. */
const headLossGradientOperation: Operation<Attributes & { readonly trainsHead: boolean }> = {
  name: 'headLossGradient',
  infer(inputs, { trainsHead }) {
    const { tokens } = sizes(inputs);
    return [{ shape: [tokens], dtype: 'f32' }, { shape: [tokens], dtype: 'f32' }, inputs[0]!, ...(trainsHead ? [inputs[1]!] : [])];
  },
  inPlace: (inputCount) => (hasOnto(inputCount) ? { output: 3, input: inputCount - 1 } : undefined),
  calls(context) {
    const { tokens, width, vocabulary } = sizes(context.inputs);
    const rooms = logitsRoom(context);
    const { logits } = rooms;
    const [x, table] = context.inputs.map(({ slice }) => slice);
    const [nll, loss, dx, dHead] = context.outputs.map(({ slice }) => slice);
    const onto = hasOnto(context.inputs.length);
    return [...chunks(tokens, rooms.chunk)].flatMap(([first, rows]) => {
      const bytes = 4 * rows * width;
      const xRows = part(x!, 4 * first * width, bytes);
      return [
        ...chunkCalls(context, rooms, first, rows, { nll: nll!, loss: loss! }),
        ...product(context, { layout: 'NN', m: rows, n: width, k: vocabulary, bType: floatType(context.inputs[1]!) }, logits, table!, part(dx!, 4 * first * width, bytes)),
        ...(dHead ? product(context, { layout: 'TN', m: vocabulary, n: width, k: rows, accumulate: onto || first > 0 }, logits, xRows, dHead) : []),
      ];
    });
  },
  reference(inputs, { trainsHead, objective }, inputTypes) {
    const size = sizes(inputTypes);
    const { tokens, width, vocabulary } = size;
    const [x, table, , weights, gradientWeights] = inputs;
    const nll = new Float64Array(tokens);
    const loss = new Float64Array(tokens);
    const dx = new Float64Array(tokens * width);
    const dHead = hasOnto(inputs.length) ? inputs.at(-1)!.slice() : new Float64Array(vocabulary * width);
    for (let row = 0; row < tokens; row++) {
      const made = lossOfRow(inputs, row, size, objective);
      nll[row] = made.nll;
      loss[row] = weights![row]! * made.loss;
      for (const [v, slope] of made.gradient.entries()) {
        const d = gradientWeights![row]! * slope;
        for (let i = 0; i < width; i++) {
          dx[row * width + i]! += d * table![v * width + i]!;
          dHead[v * width + i]! += d * x![row * width + i]!;
        }
      }
    }
    return trainsHead ? [nll, loss, dx, dHead] : [nll, loss, dx];
  },
};

/** The gradient's inputs end with a tensor to add onto. */
const hasOnto = (inputCount: number): boolean => inputCount === COMMON_INPUTS + 1 || inputCount === KL_INPUTS + 1;

/** What a loss on the head is beside a weighted sum of nll. */
export interface HeadLossOptions {
  readonly objective?: 'nll' | 'dft';
  /** Weights [tokens] that count in the gradient; those of the loss when left out. */
  readonly gradientWeights?: Tensor;
  /** Makes the objective `kl`: x [tokens, width] and head [vocabulary, width] of the reference model, and beta [1]. */
  readonly divergence?: { readonly x: Tensor; readonly head: Tensor; readonly beta: Tensor };
}

/**
 * Per-token negative log-likelihood, loss and most likely token.
 * @param x final-normed hidden states [tokens, width]
 * @param head output embedding [vocabulary, width]
 * @param labels u32 [tokens]; `IGNORED` where nothing is to be predicted
 * @param weights f32 [tokens], what each token counts in the loss (1/N for a mean over N trained tokens)
 * @returns nll and loss [tokens], 0 where ignored; argmax u32 [tokens]
 */
export function headLoss(graph: Graph, x: Tensor, head: Tensor, labels: Tensor, weights: Tensor, options: HeadLossOptions = {}): HeadLoss {
  const { divergence, objective = 'nll', gradientWeights = weights } = options;
  const inputs = [x, head, labels, weights, gradientWeights, ...(divergence ? [divergence.x, divergence.head, divergence.beta] : [])];
  const [nll, loss, argmax] = graph.apply(headLossOperation, inputs, { objective: divergence ? 'kl' : objective });
  return { nll: nll!, loss: loss!, argmax: argmax! };
}

export interface HeadLoss {
  readonly nll: Tensor;
  /** The weighted loss of each token; the batch's loss is their sum. */
  readonly loss: Tensor;
  readonly argmax: Tensor;
}
