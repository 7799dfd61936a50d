/**
 * @file Causal, grouped-query attention over packed documents, fused: no score matrix is ever in memory.
 *
 * Two families of kernels compute the same: `tiled` stages tiles in workgroup memory, as a GPU wants it; `rows` gives
 * every query (or key) its own invocation without barriers, as an adapter on the CPU wants it.
 */
import deltaSource from '../../../shaders/attention-delta.wgsl?raw';
import keyRowsSource from '../../../shaders/attention-key-rows.wgsl?raw';
import keyTiledSource from '../../../shaders/attention-key-tiled.wgsl?raw';
import queryRowsSource from '../../../shaders/attention-query-rows.wgsl?raw';
import queryTiledSource from '../../../shaders/attention-query-tiled.wgsl?raw';
import rowsSource from '../../../shaders/attention-rows.wgsl?raw';
import tileProductsSource from '../../../shaders/attention-tile-products.wgsl?raw';
import tileSource from '../../../shaders/attention-tile.wgsl?raw';
import tiledSource from '../../../shaders/attention-tiled.wgsl?raw';
import type { AdapterFacts } from '../../gpu/device.ts';
import type { Access, Call, Constant, FloatConstant, Slice } from '../../gpu/kernel.ts';
import { f32Constant, kernel, linearGrid } from '../../gpu/kernel.ts';
import { unroll } from '../../gpu/unroll.ts';
import type { Graph, Operation, ReferenceArray, Tensor } from '../graph.ts';
import { expectShape } from '../graph.ts';

export interface AttentionShape {
  /** Sequences in the batch. */
  readonly rows: number;
  /** Positions in each. */
  readonly length: number;
  /** Query heads; a multiple of `keyValueHeads`. Query head h attends with key-value head floor(h / (heads / keyValueHeads)). */
  readonly heads: number;
  readonly keyValueHeads: number;
  /** Numbers in a head; a multiple of 4. */
  readonly headDim: number;
}

export type AttentionFamily = 'rows' | 'tiled';

interface AttentionAttributes extends AttentionShape {
  /** Kernels to use instead of those that suit the adapter. */
  readonly family: AttentionFamily | undefined;
}

/** Rows that a workgroup of the tiled family owns. */
export const TILE = 64;

const tokens = ({ rows, length }: AttentionShape): number => rows * length;
const qkvWidth = ({ heads, keyValueHeads, headDim }: AttentionShape): number => (heads + 2 * keyValueHeads) * headDim;

const attentionOperation: Operation<AttentionAttributes> = {
  name: 'attention',
  infer([qkv, documentStart], shape) {
    const { heads, keyValueHeads, headDim } = shape;
    if (heads % keyValueHeads !== 0) throw new Error(`attention: ${heads} query heads cannot share ${keyValueHeads} key-value heads evenly.`);
    if (headDim % 4 !== 0) throw new Error(`attention: the head dimension ${headDim} is not a multiple of 4.`);
    expectShape('attention', 'qkv', qkv!, [tokens(shape), qkvWidth(shape)]);
    expectShape('attention', 'documentStart', documentStart!, [tokens(shape)], 'u32');
    return [
      { shape: [tokens(shape), heads * headDim], dtype: 'f32' },
      { shape: [tokens(shape), heads], dtype: 'f32' },
    ];
  },
  gradient({ attributes, inputs, outputs }, [dOutput, dLogSumExp], { graph }) {
    if (dLogSumExp) throw new Error('attention: logSumExp is kept for the gradient and cannot be differentiated itself.');
    if (!dOutput) return [undefined, undefined];
    const [qkv, documentStart] = inputs;
    const [output, logSumExp] = outputs;
    return [graph.apply(attentionGradientOperation, [dOutput, qkv!, output!, logSumExp!, documentStart!], attributes)[0], undefined];
  },
  calls({ facts, attributes, inputs: [qkv, documentStart], outputs: [output, logSumExp] }) {
    const slices = [qkv!.slice, documentStart!.slice, output!.slice, logSumExp!.slice];
    const bindings: Access[] = ['read', 'read', 'write', 'write'];
    return [
      familyFor(attributes, facts) === 'rows'
        ? rowsCall('attention', rowsSource, bindings, slices, attributes, attributes.heads, facts.subgroupSize)
        : tiledCall('attention', tiledSource, bindings, slices, attributes, attributes.heads),
    ];
  },
  reference([qkv, documentStart], shape) {
    const { rows, length, heads, headDim } = shape;
    const output = new Float64Array(tokens(shape) * heads * headDim);
    const logSumExp = new Float64Array(tokens(shape) * heads);
    for (let row = 0; row < rows; row += 1) {
      for (let head = 0; head < heads; head += 1) {
        for (let query = 0; query < length; query += 1) {
          const at = (row * length + query) * heads + head;
          const { weights, logSumExp: normalizer } = softmaxRow(qkv!, documentStart!, shape, row, head, query);
          logSumExp[at] = normalizer;
          for (const { key, weight } of weights) {
            const value = valueAt(shape, row, head, key);
            for (let d = 0; d < headDim; d += 1) output[at * headDim + d]! += weight * qkv![value + d]!;
          }
        }
      }
    }
    return [output, logSumExp];
  },
};

const attentionGradientOperation: Operation<AttentionAttributes> = {
  name: 'attentionGradient',
  infer([dOutput, qkv, output, logSumExp, documentStart], shape) {
    const { heads, headDim } = shape;
    expectShape('attentionGradient', 'dOutput', dOutput!, [tokens(shape), heads * headDim]);
    expectShape('attentionGradient', 'qkv', qkv!, [tokens(shape), qkvWidth(shape)]);
    expectShape('attentionGradient', 'output', output!, [tokens(shape), heads * headDim]);
    expectShape('attentionGradient', 'logSumExp', logSumExp!, [tokens(shape), heads]);
    expectShape('attentionGradient', 'documentStart', documentStart!, [tokens(shape)], 'u32');
    return [qkv!];
  },
  calls({ facts, attributes, inputs: [dOutput, qkv, output, logSumExp, documentStart], outputs: [dQkv], scratch }) {
    const count = tokens(attributes) * attributes.heads;
    const delta = scratch(4 * count);
    const slices = [qkv!.slice, documentStart!.slice, dOutput!.slice, logSumExp!.slice, delta, dQkv!.slice];
    const bindings: Access[] = ['read', 'read', 'read', 'read', 'read', 'write'];
    const { heads, keyValueHeads } = attributes;
    return [
      {
        kernel: kernel('attention delta', deltaSource, ['read', 'read', 'write'], { COUNT: count, VECTORS: attributes.headDim / 4 }),
        slices: [output!.slice, dOutput!.slice, delta],
        grid: linearGrid(count, 64),
      },
      ...(familyFor(attributes, facts) === 'rows'
        ? [
            rowsCall('attention query gradient', queryRowsSource, bindings, slices, attributes, heads, facts.subgroupSize),
            rowsCall('attention key gradient', keyRowsSource, bindings, slices, attributes, keyValueHeads, facts.subgroupSize),
          ]
        : [
            tiledCall('attention query gradient', queryTiledSource, bindings, slices, attributes, heads),
            tiledCall('attention key gradient', keyTiledSource, bindings, slices, attributes, keyValueHeads),
          ]),
    ];
  },
  reference([dOutput, qkv, output, , documentStart], shape) {
    const { rows, length, heads, headDim } = shape;
    const dQkv = new Float64Array(qkv!.length);
    const scale = 1 / Math.sqrt(headDim);
    for (let row = 0; row < rows; row += 1) {
      for (let head = 0; head < heads; head += 1) {
        for (let query = 0; query < length; query += 1) {
          const at = ((row * length + query) * heads + head) * headDim;
          const q = queryAt(shape, row, head, query);
          const delta = dot(dOutput!, at, output!, at, headDim);
          for (const { key, weight } of softmaxRow(qkv!, documentStart!, shape, row, head, query).weights) {
            const k = keyAt(shape, row, head, key);
            const v = valueAt(shape, row, head, key);
            const dScore = scale * weight * (dot(dOutput!, at, qkv!, v, headDim) - delta);
            for (let d = 0; d < headDim; d += 1) {
              dQkv[q + d]! += dScore * qkv![k + d]!;
              dQkv[k + d]! += dScore * qkv![q + d]!;
              dQkv[v + d]! += weight * dOutput![at + d]!;
            }
          }
        }
      }
    }
    return [dQkv];
  },
};

/** The kernels that suit an adapter. */
export const attentionFamily = ({ software, subgroupSize }: AdapterFacts): AttentionFamily => (software && subgroupSize >= 4 ? 'rows' : 'tiled');

const familyFor = ({ family }: AttentionAttributes, facts: AdapterFacts): AttentionFamily => family ?? attentionFamily(facts);

type Constants = Record<string, Constant | FloatConstant>;

function shapeConstants({ length, heads, keyValueHeads, headDim }: AttentionShape): Constants {
  return { LENGTH: length, HEADS: heads, KV_HEADS: keyValueHeads, SCALE: f32Constant(1 / Math.sqrt(headDim)) };
}

/** The lanes of a subgroup load STEP numbers of a head at a time, PARTS times. */
export function rowsParts({ headDim }: Pick<AttentionShape, 'headDim'>, lanes: number): { readonly STEP: number; readonly PARTS: number } {
  let step = lanes;
  while (headDim % step !== 0) step /= 2;
  return { STEP: step, PARTS: headDim / step };
}

function rowsCall(label: string, source: string, bindings: readonly Access[], slices: readonly Slice[], shape: AttentionShape, heads: number, lanes: number): Call {
  const parts = rowsParts(shape, lanes);
  const specialised = kernel(label, unroll(source, parts), bindings, { ...shapeConstants(shape), ...parts, LANES: lanes });
  return {
    kernel: { ...specialised, code: `enable subgroups;\n${specialised.code}` },
    slices,
    grid: [Math.ceil(shape.length / lanes), heads, shape.rows],
  };
}

function tiledCall(label: string, source: string, bindings: readonly Access[], slices: readonly Slice[], shape: AttentionShape, heads: number): Call {
  const text = unroll(`${tileProductsSource}\n${tileSource}\n${source}`, { CHUNKS: Math.ceil(shape.headDim / 32) });
  return {
    kernel: kernel(label, text, bindings, { ...shapeConstants(shape), VECTORS: shape.headDim / 4, CHUNKS: Math.ceil(shape.headDim / 32), GRADIENT: bindings.length === 6 }),
    slices,
    grid: [Math.ceil(shape.length / TILE), heads, shape.rows],
  };
}

const queryAt = (shape: AttentionShape, row: number, head: number, query: number): number =>
  (row * shape.length + query) * qkvWidth(shape) + head * shape.headDim;

const keyAt = (shape: AttentionShape, row: number, head: number, key: number): number => {
  const { length, heads, keyValueHeads, headDim } = shape;
  return (row * length + key) * qkvWidth(shape) + (heads + Math.floor(head / (heads / keyValueHeads))) * headDim;
};

const valueAt = (shape: AttentionShape, row: number, head: number, key: number): number =>
  keyAt(shape, row, head, key) + shape.keyValueHeads * shape.headDim;

/** The softmax weights of one query over the keys it sees. */
function softmaxRow(qkv: ReferenceArray, documentStart: ReferenceArray, shape: AttentionShape, row: number, head: number, query: number) {
  const { length, headDim } = shape;
  const scores: number[] = [];
  const start = documentStart[row * length + query]!;
  for (let key = start; key <= query; key += 1) {
    scores.push(dot(qkv, queryAt(shape, row, head, query), qkv, keyAt(shape, row, head, key), headDim) / Math.sqrt(headDim));
  }
  const most = Math.max(...scores);
  const logSumExp = most + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - most), 0));
  return { weights: scores.map((score, i) => ({ key: start + i, weight: Math.exp(score - logSumExp) })), logSumExp };
}

function dot(a: ReferenceArray, aAt: number, b: ReferenceArray, bAt: number, count: number): number {
  let sum = 0;
  for (let d = 0; d < count; d += 1) sum += a[aAt + d]! * b[bAt + d]!;
  return sum;
}

/**
 * Causal attention within documents, softmax(q kᵀ / sqrt(headDim)) v.
 * @param qkv [rows * length, (heads + 2 * keyValueHeads) * headDim]: query heads, key heads, value heads; rotary positions applied
 * @param documentStart u32 [rows * length]: index within the row at which the token's document begins, so that query i
 *   attends keys documentStart[i]..i; documents are contiguous, hence it never decreases along a row
 * @returns the attended values [rows * length, heads * headDim], and each query's logSumExp [rows * length, heads] of the
 *   scaled scores, which the gradient needs and which has no gradient itself
 */
export function attention(
  graph: Graph,
  qkv: Tensor,
  documentStart: Tensor,
  { rows, length, heads, keyValueHeads, headDim }: AttentionShape,
  family?: AttentionFamily,
): readonly [output: Tensor, logSumExp: Tensor] {
  const [output, logSumExp] = graph.apply(attentionOperation, [qkv, documentStart], { rows, length, heads, keyValueHeads, headDim, family });
  return [output!, logSumExp!];
}
