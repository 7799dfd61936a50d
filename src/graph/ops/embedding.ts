/** @file Token embedding: a gather forward, a sum over the tokens of each id backward. */
import gradientSource from '../../../shaders/embedding-gradient.wgsl?raw';
import forwardSource from '../../../shaders/embedding.wgsl?raw';
import fillSource from '../../../shaders/fill-zero.wgsl?raw';
import { kernel, linearGrid } from '../../gpu/kernel.ts';
import { enableHalves, storedFloats } from '../../gpu/storedFloats.ts';
import type { Graph, Operation, Tensor } from '../graph.ts';
import { elementCount, expectShape, expectWeight, floatType } from '../graph.ts';
import { rowGrid, rowLanes } from '../rows.ts';
import { ontoParameter } from './matmul.ts';

/** The tokens of a batch grouped by id, so that the backward sum needs no atomics and has one order. */
export interface TokensById {
  /** u32 [tokens]: indices of tokens, sorted by id, then by index; only the first `runStart` end counts. */
  readonly sorted: Tensor;
  /** u32 [tokens + 1]: run r of equal ids is sorted[runStart[r] .. runStart[r + 1]); the rest repeats the end. */
  readonly runStart: Tensor;
}

/** Inputs table, ids[, sorted, runStart]. */
const embeddingOperation: Operation<null> = {
  name: 'embedding',
  infer([table, ids, sorted, runStart]) {
    expectWeight('embedding', 'the table', table!, [undefined, undefined]);
    expectShape('embedding', 'the ids', ids!, [undefined], 'u32');
    const tokens = ids!.shape[0]!;
    if (sorted) expectShape('embedding', 'the sorted tokens', sorted, [tokens], 'u32');
    if (runStart) expectShape('embedding', 'the run starts', runStart, [tokens + 1], 'u32');
    return [{ shape: [tokens, table!.shape[1]!], dtype: 'f32' }];
  },
  gradient(node, [dy], context) {
    const [table, ids, sorted, runStart] = node.inputs;
    if (!table || !ids || !sorted || !runStart) throw new Error('embedding: without its tokens by id there is no gradient.');
    const onto = ontoParameter(context, node.inputs, 0);
    const inputs = [dy!, ids, sorted, runStart];
    return context.graph.apply(embeddingGradientOperation, onto ? [...inputs, onto] : inputs, { vocabulary: table.shape[0]! });
  },
  calls({ facts, inputs: [table, ids], outputs: [y] }) {
    const count = elementCount(y!.shape);
    const type = floatType(table!);
    const gather = kernel('embedding', storedFloats('table', 0, type, facts) + forwardSource, ['read', 'read', 'write'], { COUNT: count, WIDTH: y!.shape[1]! });
    return [
      {
        kernel: enableHalves(gather, [type], facts),
        slices: [table!.slice, ids!.slice, y!.slice],
        grid: linearGrid(count, 256),
      },
    ];
  },
  reference([table, ids], _attributes, [type]) {
    const width = type!.shape[1]!;
    return [Float64Array.from({ length: ids!.length * width }, (_, i) => table![ids![Math.floor(i / width)]! * width + (i % width)]!)];
  },
};

/** Inputs dy [tokens, width], ids, sorted, runStart[, onto] -> gradient of the table [vocabulary, width]. */
const embeddingGradientOperation: Operation<{ readonly vocabulary: number }> = {
  name: 'embeddingGradient',
  infer: ([dy], { vocabulary }) => [{ shape: [vocabulary, dy!.shape[1]!], dtype: 'f32' }],
  inPlace: (inputCount) => (inputCount === 5 ? { output: 0, input: 4 } : undefined),
  calls({ facts, inputs, outputs: [gradient] }) {
    const [dy, ids, sorted, runStart, onto] = inputs;
    const [tokens, width] = dy!.shape as [number, number];
    const count = elementCount(gradient!.shape);
    const fill = { kernel: kernel('fillZero', fillSource, ['write'], { COUNT: count }), slices: [gradient!.slice], grid: linearGrid(count, 256) };
    const sum = {
      kernel: kernel('embeddingGradient', gradientSource, ['read', 'read', 'read', 'read', 'write'], { RUNS: tokens, WIDTH: width, LANES: rowLanes(facts) }),
      slices: [dy!.slice, ids!.slice, sorted!.slice, runStart!.slice, gradient!.slice],
      grid: rowGrid(tokens),
    };
    return onto ? [sum] : [fill, sum];
  },
  reference([dy, ids, sorted, runStart, onto], { vocabulary }, [type]) {
    const width = type!.shape[1]!;
    const gradient = onto ? onto.slice() : new Float64Array(vocabulary * width);
    for (let s = 0; s < runStart!.at(-1)!; s++) {
      const token = sorted![s]!;
      for (let i = 0; i < width; i++) gradient[ids![token]! * width + i]! += dy![token * width + i]!;
    }
    return [gradient];
  },
};

/** Rows of `table` [vocabulary, width] for each of `ids` u32 [tokens] -> [tokens, width]. Only the gradient needs `byId`. */
export const embedding = (graph: Graph, table: Tensor, ids: Tensor, byId?: TokensById): Tensor =>
  graph.apply(embeddingOperation, byId ? [table, ids, byId.sorted, byId.runStart] : [table, ids], null)[0]!;

/**
 * The arrays behind `TokensById` for a batch.
 * @param counts which tokens take part; padding carries no gradient and is left out
 */
export function sortTokensById(ids: Uint32Array, counts: (token: number) => boolean): { sorted: Uint32Array<ArrayBuffer>; runStart: Uint32Array<ArrayBuffer> } {
  // Id and index in one number sort without a comparator, in half the time; both are exact below 2^53.
  const keys = Float64Array.from(ids, (id, token) => (counts(token) ? id * ids.length + token : Number.POSITIVE_INFINITY)).sort();
  const tokens = Uint32Array.from(keys.filter(Number.isFinite), (key) => key % ids.length);
  const sorted = new Uint32Array(ids.length);
  sorted.set(tokens);
  const runStart = new Uint32Array(ids.length + 1).fill(tokens.length);
  let runs = 0;
  for (const [s, token] of tokens.entries()) if (s === 0 || ids[token] !== ids[tokens[s - 1]!]) runStart[runs++] = s;
  return { sorted, runStart };
}
