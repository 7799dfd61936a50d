/**
 * @file Attention over a key-value cache. The rows of a pass are pairs of a slot, which holds one sequence, and a position in
 * it: a chunk of prompts, or one token a sequence. All rows first write their keys and values into the cache, then each attends
 * to what its slot holds up to its own position, which is causal by itself.
 */
import appendSource from '../../../shaders/cache-append.wgsl?raw';
import copySource from '../../../shaders/cache-copy.wgsl?raw';
import mergeSource from '../../../shaders/cached-attention-merge.wgsl?raw';
import rowsSource from '../../../shaders/cached-attention-rows.wgsl?raw';
import stepSource from '../../../shaders/cached-attention-step.wgsl?raw';
import tiledSource from '../../../shaders/cached-attention-tiled.wgsl?raw';
import productsSource from '../../../shaders/attention-tile-products.wgsl?raw';
import type { AdapterFacts } from '../../gpu/device.ts';
import type { Access, Call, Kernel, Slice } from '../../gpu/kernel.ts';
import { f32Constant, kernel } from '../../gpu/kernel.ts';
import { enableHalves, storedFloats } from '../../gpu/storedFloats.ts';
import { unroll } from '../../gpu/unroll.ts';
import type { Graph, KernelContext, Operation, Tensor } from '../graph.ts';
import { expectShape, floatType } from '../graph.ts';
import { rowLanes } from '../rows.ts';
import type { AttentionFamily } from './attention.ts';
import { attentionFamily, rowsParts, TILE } from './attention.ts';

export interface CacheShape {
  /** Sequences the cache holds. */
  readonly slots: number;
  /** Positions of each. */
  readonly length: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  /** A multiple of 4. */
  readonly headDim: number;
}

/**
 * `chunk`: many neighbouring positions of few slots, in blocks as `chunkBlock` says. `step`: a row a slot. `append`: keys and values are
 * kept and nothing is attended to; the output is undefined.
 */
export type Reading = 'chunk' | 'step' | 'append';

interface CachedAttention extends CacheShape {
  readonly reading: Reading;
}

/**
 * Rows of a chunk that are read together: every run of them that begins at a multiple of this belongs to one slot, at
 * rising positions without a gap, and what it does not fill is padding.
 */
export const chunkBlock = (facts: AdapterFacts): number => ({ rows: facts.subgroupSize, tiled: TILE, step: 1 })[chunkKernels(facts)];

/** On the CPU without subgroups the kernels of a step do: tiles take such an adapter many seconds to compile. */
const chunkKernels = (facts: AdapterFacts): AttentionFamily | 'step' => (facts.software && facts.subgroupSize < 4 ? 'step' : attentionFamily(facts));

/** The slot of a row that is padding; none has as many. */
export const NO_SLOT = 0xffffffff;

/** Keys that one workgroup takes. Whatever else is in the batch, a sum over keys is cut at the same places. */
const PART = { software: 256, gpu: 128 };

/** Query heads that share a key-value head and are kept in the registers of one workgroup, at most. */
const SHARED_HEADS = 8;

/** Workgroup memory that every adapter has. */
const WORKGROUP_BYTES = 16 * 2 ** 10;

/** Inputs qkv, positions, slots, keys, values -> [rows, heads headDim]; the caches gain the keys and values of the rows. */
const cachedAttentionOperation: Operation<CachedAttention> = {
  name: 'cachedAttention',
  infer([qkv, positions, slots, keys, values], { slots: count, length, heads, keyValueHeads, headDim }) {
    const rows = qkv!.shape[0]!;
    if (headDim % 4 !== 0) throw new Error(`cachedAttention: the head dimension ${headDim} is not a multiple of 4.`);
    expectShape('cachedAttention', 'qkv', qkv!, [rows, (heads + 2 * keyValueHeads) * headDim]);
    expectShape('cachedAttention', 'the positions', positions!, [rows], 'u32');
    expectShape('cachedAttention', 'the slots', slots!, [rows], 'u32');
    const cache = [count, length, keyValueHeads * headDim];
    expectShape('cachedAttention', 'the key cache', keys!, cache, floatType(keys!));
    expectShape('cachedAttention', 'the value cache', values!, cache, floatType(keys!));
    return [{ shape: [rows, heads * headDim], dtype: 'f32' }];
  },
  calls(context) {
    const append = appendCall(context);
    const { attributes: { reading }, facts } = context;
    if (reading === 'append') return [append];
    const kernels = reading === 'step' ? 'step' : chunkKernels(facts);
    if (kernels === 'step') return [append, ...stepCalls(context)];
    return [append, kernels === 'rows' ? rowsCall(context) : tiledCall(context)];
  },
  reference([qkv, positions, slots, keys, values], { slots: count, length, heads, keyValueHeads, headDim }) {
    const width = keyValueHeads * headDim;
    const row = heads * headDim + 2 * width;
    const [allKeys, allValues] = [keys!.slice(), values!.slice()];
    const rows = [...slots!.keys()].filter((at) => slots![at]! < count);
    for (const at of rows) {
      const from = at * row + heads * headDim;
      const to = (slots![at]! * length + positions![at]!) * width;
      allKeys.set(qkv!.subarray(from, from + width), to);
      allValues.set(qkv!.subarray(from + width, from + 2 * width), to);
    }
    const output = new Float64Array(slots!.length * heads * headDim);
    for (const at of rows) {
      for (let head = 0; head < heads; head++) {
        const begin = slots![at]! * length * width + Math.floor(head / (heads / keyValueHeads)) * headDim;
        const scores = Array.from({ length: positions![at]! + 1 }, (_, key) => {
          let score = 0;
          for (let i = 0; i < headDim; i++) score += qkv![at * row + head * headDim + i]! * allKeys[begin + key * width + i]!;
          return score / Math.sqrt(headDim);
        });
        const most = scores.reduce((a, b) => Math.max(a, b));
        const weights = scores.map((score) => Math.exp(score - most));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let i = 0; i < headDim; i++) output[(at * heads + head) * headDim + i] = weights.reduce((sum, weight, key) => sum + weight * allValues[begin + key * width + i]!, 0) / total;
      }
    }
    return [output];
  },
};

type Context = KernelContext<CachedAttention>;

const shapeConstants = ({ slots, length, heads, keyValueHeads, headDim }: CacheShape): Record<string, number | ReturnType<typeof f32Constant>> => ({
  SLOTS: slots,
  LENGTH: length,
  HEADS: heads,
  KV_HEADS: keyValueHeads,
  SCALE: f32Constant(1 / Math.sqrt(headDim)),
});

function appendCall({ attributes: { slots, length, heads, keyValueHeads, headDim }, inputs }: Context): Call {
  const rows = inputs[0]!.shape[0]!;
  const vectors = (keyValueHeads * headDim) / 4;
  const type = floatType(inputs[3]!);
  return {
    kernel: kernel('cacheAppend', appendSource, ['read', 'read', 'read', 'write', 'write'], {
      ROWS: rows,
      SLOTS: slots,
      LENGTH: length,
      VECTORS: vectors,
      QUERY_VECTORS: (heads * headDim) / 4,
      F32: type === 'f32',
      BF16: type === 'bf16',
      F16: type === 'f16',
    }),
    slices: inputs.map(({ slice }) => slice),
    grid: [Math.ceil((rows * vectors) / 64), 1, 1],
  };
}

/** A kernel that reads the caches at bindings 3 and 4, as they are kept. */
function readingKernel(label: string, source: string, { facts, inputs }: Context, outputs: number, constants: Parameters<typeof kernel>[3], options: { readonly fours?: boolean } = {}): Kernel {
  const type = floatType(inputs[3]!);
  const stored = storedFloats('keys', 3, type, facts, options) + storedFloats('values', 4, type, facts, options);
  const bindings: Access[] = ['read', 'read', 'read', 'read', 'read', ...Array.from({ length: outputs }, (): Access => 'write')];
  return enableHalves(kernel(label, `${stored}\n${source}`, bindings, constants), [type], facts);
}

function rowsCall(context: Context): Call {
  const { facts, attributes, inputs, outputs: [output] } = context;
  const rows = inputs[0]!.shape[0]!;
  const lanes = facts.subgroupSize;
  const parts = rowsParts(attributes, lanes);
  const specialised = readingKernel('cachedAttention rows', unroll(rowsSource, parts), context, 1, { ROWS: rows, ...shapeConstants(attributes), ...parts, LANES: lanes });
  return {
    kernel: { ...specialised, code: `enable subgroups;\n${specialised.code}` },
    slices: [...inputs.map(({ slice }) => slice), output!.slice],
    grid: [Math.ceil(rows / lanes), attributes.heads, 1],
  };
}

function tiledCall(context: Context): Call {
  const { attributes, inputs, outputs: [output] } = context;
  const rows = inputs[0]!.shape[0]!;
  const chunks = Math.ceil(attributes.headDim / 32);
  return {
    kernel: readingKernel('cachedAttention tiled', unroll(`${productsSource}\n${tiledSource}`, { CHUNKS: chunks }), context, 1, { ROWS: rows, ...shapeConstants(attributes), VECTORS: attributes.headDim / 4, CHUNKS: chunks }, { fours: true }),
    slices: [...inputs.map(({ slice }) => slice), output!.slice],
    grid: [Math.ceil(rows / TILE), attributes.heads, 1],
  };
}

function stepCalls(context: Context): Call[] {
  const { facts, attributes, inputs, outputs: [output], scratch } = context;
  const { slots, length, heads, keyValueHeads, headDim } = attributes;
  const rows = inputs[0]!.shape[0]!;
  const vectors = headDim / 4;
  const part = Math.min(facts.software ? PART.software : PART.gpu, length);
  const parts = Math.ceil(length / part);
  const lanes = rowLanes(facts);
  const keys = facts.software ? 4 : 2;
  const walkers = Math.max(1, Math.floor(lanes / vectors));
  const group = heads / keyValueHeads;
  const fits = (count: number): boolean => count === 1 || count * (4 * part + 4 * lanes + 16 * walkers * vectors) <= WORKGROUP_BYTES;
  const shared = Array.from({ length: Math.min(SHARED_HEADS, group) }, (_, i) => i + 1).findLast((count) => group % count === 0 && fits(count))!;
  const constants = { ...shapeConstants(attributes), SHARED: shared, VECTORS: vectors, PART: part, PARTS: parts, KEYS: keys, LANES: lanes, WALKERS: walkers, SPLIT: parts > 1 };
  const read = inputs.map(({ slice }) => slice);
  const [, positions, places] = read as [Slice, Slice, Slice];
  const mixed = parts > 1 ? scratch(4 * rows * heads * parts * headDim) : output!.slice;
  const tops = parts > 1 ? [scratch(8 * rows * heads * parts)] : [];
  const step: Call = {
    kernel: readingKernel('cachedAttention step', unroll(stepSource, { SHARED: shared, KEYS: keys }), context, 1 + tops.length, constants, { fours: true }),
    slices: [...read, mixed, ...tops],
    grid: [heads / shared, rows, parts],
  };
  if (parts === 1) return [step];
  const merge: Call = {
    kernel: kernel('cachedAttention merge', mergeSource, ['read', 'read', 'read', 'read', 'write'], { ROWS: rows, SLOTS: slots, HEADS: heads, VECTORS: vectors, PART: part, PARTS: parts }),
    slices: [positions, places, mixed, ...tops, output!.slice],
    grid: [Math.ceil((rows * heads * vectors) / 64), 1, 1],
  };
  return [step, merge];
}

/**
 * Writes the keys and values of every row into the caches, and attends from it to all that its slot holds up to it.
 * @param qkv rotated queries, keys and values [rows, (heads + 2 keyValueHeads) headDim]
 * @param positions u32 [rows]
 * @param slots u32 [rows]; a row of `NO_SLOT` is padding and its output undefined
 * @param keys state [slots, length, keyValueHeads headDim], in f32 or halves; `values` likewise
 * @returns [rows, heads headDim]
 */
export const cachedAttention = (graph: Graph, qkv: Tensor, positions: Tensor, slots: Tensor, keys: Tensor, values: Tensor, shape: CacheShape, reading: Reading): Tensor =>
  graph.apply(cachedAttentionOperation, [qkv, positions, slots, keys, values], { ...shape, reading })[0]!;

/** Invocations that copy a slot: enough for a GPU, and few enough that a short prefix wastes none. */
const COPYING_GROUPS = 16;

/**
 * Copies the first positions of a slot to another slot in one layer's caches.
 * @param copy a uniform buffer of u32 [4]: from which slot, to which, positions, and nothing
 * @param bytes of one position in either cache
 */
export const cacheCopyCall = (copy: Slice, keys: Slice, values: Slice, { length }: CacheShape, bytes: number): Call => ({
  kernel: kernel('cacheCopy', copySource, ['uniform', 'write', 'write'], { WORDS: bytes / 8, SPAN: (length * bytes) / 8 }),
  slices: [copy, keys, values],
  grid: [COPYING_GROUPS, 1, 1],
});
