/**
 * @file The language-model head with its cross-entropy. Logits exist for one chunk of tokens at a time, and backward
 * they are overwritten by their own gradient, so the largest tensor of a model is never held.
 *
 * The operation stands for the scalar sum_t weight_t * nll_t, so it needs no incoming gradient; objectives differ in
 * the weights. Derived from: https://arxiv.org/abs/2410.10989 (fused linear cross-entropy).
 */
import crossEntropySource from '../../../shaders/cross-entropy.wgsl?raw';
import { matmulCalls, planMatmul } from '../../gpu/matmul.ts';
import type { MatmulShape } from '../../gpu/matmul.ts';
import type { AdapterFacts } from '../../gpu/device.ts';
import type { Call, Slice } from '../../gpu/kernel.ts';
import { kernel } from '../../gpu/kernel.ts';
import type { Graph, KernelContext, Operation, Tensor, TensorType } from '../graph.ts';
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

interface Sizes {
  readonly tokens: number;
  readonly width: number;
  readonly vocabulary: number;
}

const sizes = ([x, table]: readonly TensorType[]): Sizes => ({ tokens: x!.shape[0]!, width: x!.shape[1]!, vocabulary: table!.shape[0]! });

function checkInputs([x, table, labels, weights]: readonly TensorType[]): void {
  const { tokens, width } = sizes([x!, table!]);
  expectShape('headLoss', 'x', x!, [tokens, width]);
  expectWeight('headLoss', 'the head', table!, [undefined, width]);
  expectShape('headLoss', 'the labels', labels!, [tokens], 'u32');
  expectShape('headLoss', 'the weights', weights!, [tokens]);
}

const part = ({ buffer, offset }: Slice, fromByte: number, size: number): Slice => ({ buffer, offset: offset + fromByte, size });

/** The calls of one chunk up to its cross-entropy; `logits` holds logits, or with `gradient` their gradient, afterwards. */
function chunkCalls(context: KernelContext<unknown>, logits: Slice, first: number, rows: number, outputs: readonly Slice[], gradient: boolean): Call[] {
  const { facts, inputs } = context;
  const { width, vocabulary } = sizes(inputs);
  const [x, table, labels, weights] = inputs.map(({ slice }) => slice);
  const kernels = kernel(gradient ? 'crossEntropyGradient' : 'crossEntropy', crossEntropySource, ['write', 'read', 'read', ...outputs.map(() => 'write' as const)], {
    ROWS: rows,
    VOCABULARY: vocabulary,
    LANES: rowLanes(facts),
    GRADIENT: gradient,
  });
  return [
    ...product(context, { layout: 'NT', m: rows, n: vocabulary, k: width, bType: floatType(inputs[1]!) }, part(x!, 4 * first * width, 4 * rows * width), table!, logits),
    {
      kernel: kernels,
      slices: [logits, ...[labels!, weights!, ...outputs].map((slice) => part(slice, 4 * first, 4 * rows))],
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

/** Inputs x, head, labels, weights -> nll [tokens] (0 where ignored), argmax u32 [tokens]. */
const headLossOperation: Operation<null> = {
  name: 'headLoss',
  infer(inputs) {
    checkInputs(inputs);
    const { tokens } = sizes(inputs);
    return [
      { shape: [tokens], dtype: 'f32' },
      { shape: [tokens], dtype: 'u32' },
    ];
  },
  gradient({ inputs, outputs }, _outputGradients, context) {
    const trainsHead = context.needs(1);
    const onto = trainsHead ? ontoParameter(context, inputs, 1) : undefined;
    const [nll, dx, dHead] = context.graph.apply(headLossGradientOperation, onto ? [...inputs, onto] : inputs, { trainsHead });
    context.alsoComputes(outputs[0]!, nll!);
    return [dx, dHead];
  },
  calls(context) {
    const { tokens, vocabulary } = sizes(context.inputs);
    const chunk = logitsChunk(tokens, vocabulary, context.facts);
    const logits = context.scratch(4 * chunk * vocabulary, 'logits');
    const outputs = context.outputs.map(({ slice }) => slice);
    return [...chunks(tokens, chunk)].flatMap(([first, rows]) => chunkCalls(context, logits, first, rows, outputs, false));
  },
  reference([x, table, labels], _attributes, inputTypes) {
    const size = sizes(inputTypes);
    const rows = Array.from(labels!, (label, row) => {
      const logProbabilities = logSoftmax(x!, table!, row, size);
      return [label === IGNORED ? 0 : -logProbabilities[label]!, logProbabilities.indexOf(logProbabilities.reduce((a, b) => Math.max(a, b)))] as const;
    });
    return [Float64Array.from(rows, ([nll]) => nll), Float64Array.from(rows, ([, argmax]) => argmax)];
  },
};

/** Inputs x, head, labels, weights[, onto] -> nll [tokens], dx [tokens, width] and, where the head is trained, dHead [vocabulary, width]. */
const headLossGradientOperation: Operation<{ readonly trainsHead: boolean }> = {
  name: 'headLossGradient',
  infer(inputs, { trainsHead }) {
    const { tokens } = sizes(inputs);
    return [{ shape: [tokens], dtype: 'f32' }, inputs[0]!, ...(trainsHead ? [inputs[1]!] : [])];
  },
  inPlace: (inputCount) => (inputCount === 5 ? { output: 2, input: 4 } : undefined),
  calls(context) {
    const { tokens, width, vocabulary } = sizes(context.inputs);
    const chunk = logitsChunk(tokens, vocabulary, context.facts);
    const logits = context.scratch(4 * chunk * vocabulary, 'logits');
    const [x, table] = context.inputs.map(({ slice }) => slice);
    const [nll, dx, dHead] = context.outputs.map(({ slice }) => slice);
    const onto = context.inputs.length === 5;
    return [...chunks(tokens, chunk)].flatMap(([first, rows]) => {
      const bytes = 4 * rows * width;
      const xRows = part(x!, 4 * first * width, bytes);
      return [
        ...chunkCalls(context, logits, first, rows, [nll!], true),
        ...product(context, { layout: 'NN', m: rows, n: width, k: vocabulary, bType: floatType(context.inputs[1]!) }, logits, table!, part(dx!, 4 * first * width, bytes)),
        ...(dHead ? product(context, { layout: 'TN', m: vocabulary, n: width, k: rows, accumulate: onto || first > 0 }, logits, xRows, dHead) : []),
      ];
    });
  },
  reference([x, table, labels, weights, onto], { trainsHead }, inputTypes) {
    const size = sizes(inputTypes);
    const { tokens, width, vocabulary } = size;
    const nll = new Float64Array(tokens);
    const dx = new Float64Array(tokens * width);
    const dHead = onto ? onto.slice() : new Float64Array(vocabulary * width);
    for (const [row, label] of labels!.entries()) {
      if (label === IGNORED) continue;
      const logProbabilities = logSoftmax(x!, table!, row, size);
      nll[row] = -logProbabilities[label]!;
      for (let v = 0; v < vocabulary; v++) {
        const d = weights![row]! * (Math.exp(logProbabilities[v]!) - (v === label ? 1 : 0));
        for (let i = 0; i < width; i++) {
          dx[row * width + i]! += d * table![v * width + i]!;
          dHead[v * width + i]! += d * x![row * width + i]!;
        }
      }
    }
    return trainsHead ? [nll, dx, dHead] : [nll, dx];
  },
};

/**
 * Per-token negative log-likelihood and most likely token.
 * @param x final-normed hidden states [tokens, width]
 * @param head output embedding [vocabulary, width]
 * @param labels u32 [tokens]; `IGNORED` where nothing is to be predicted
 * @param weights f32 [tokens], what each token's nll counts in the loss (1/N for a mean over N trained tokens)
 * @returns nll [tokens], 0 where ignored; argmax u32 [tokens]
 */
export function headLoss(graph: Graph, x: Tensor, head: Tensor, labels: Tensor, weights: Tensor): { nll: Tensor; argmax: Tensor } {
  const [nll, argmax] = graph.apply(headLossOperation, [x, head, labels, weights], null);
  return { nll: nll!, argmax: argmax! };
}
