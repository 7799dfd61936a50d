/**
 * @file From a graph to a list of dispatches: drops what nobody asks for, gives every tensor a buffer and reuses
 * buffers as soon as their tensor is dead.
 */
import type { BufferCategory, BufferPool } from '../gpu/buffers.ts';
import type { AdapterFacts } from '../gpu/device.ts';
import type { Call, Slice } from '../gpu/kernel.ts';
import type { Graph, KernelContext, Node, Tensor } from './graph.ts';
import { byteLength } from './graph.ts';

export interface CompileOptions {
  readonly facts: AdapterFacts;
  readonly pool: BufferPool;
  /** Buffers of all sources that are used, and of any other tensor that must land in a given place. */
  readonly bindings: ReadonlyMap<Tensor, Slice>;
  readonly category?: BufferCategory;
}

export interface Compiled {
  readonly calls: readonly Call[];
  /** Where each asked-for tensor is after the calls have run. */
  readonly slices: ReadonlyMap<Tensor, Slice>;
}

/**
 * Plans buffers and chooses kernels for everything `outputs` need.
 * @throws when a needed source has no buffer, or two tensors that must not share a buffer would
 */
export function compile(graph: Graph, outputs: readonly Tensor[], options: CompileOptions): Compiled {
  const { facts, pool, bindings, category = 'activations' } = options;
  const nodes = neededNodes(graph, outputs);
  const lastUse = lastUses(nodes, outputs);
  const slices = bindThroughAliases(nodes, bindings);
  const free = new FreeLists(pool, category);
  const owned = new Set<Slice>();
  const calls: Call[] = [];

  const place = (tensor: Tensor): Slice => {
    const slice = free.take(byteLength(tensor), tensor.name);
    owned.add(slice);
    slices.set(tensor, slice);
    return slice;
  };
  const sliceOf = (tensor: Tensor): Slice => {
    const slice = slices.get(tensor);
    if (!slice) throw new Error(`${tensor.name} (${tensor.source ?? 'intermediate'}) has no buffer.`);
    return slice;
  };

  for (const [index, node] of nodes.entries()) {
    const { operation } = node;
    const inputs = node.inputs.map((tensor) => ({ ...typeOf(tensor), slice: sliceOf(tensor) }));
    const alias = operation.inPlace?.(node.inputs.length, node.attributes as never);
    const outputsHere = node.outputs.map((tensor, i) => {
      if (alias?.output !== i) return { ...typeOf(tensor), slice: slices.get(tensor) ?? place(tensor) };
      const from = node.inputs[alias.input]!;
      if (lastUse.get(from) !== index) throw new Error(`${operation.name} would overwrite ${from.name}, which is still needed.`);
      const slice = sliceOf(from);
      const wanted = slices.get(tensor);
      if (wanted && wanted !== slice) throw new Error(`${operation.name} adds onto ${from.name}, but its result is bound elsewhere.`);
      slices.set(tensor, slice);
      return { ...typeOf(tensor), slice };
    });
    const scratches: Slice[] = [];
    const context: KernelContext<unknown> = {
      facts,
      attributes: node.attributes,
      inputs,
      outputs: outputsHere,
      scratch(size, as) {
        const slice = free.take(size, `${operation.name} ${as ?? 'scratch'}`, as);
        scratches.push(slice);
        return slice;
      },
    };
    calls.push(...operation.calls(context as KernelContext<never>));
    for (const slice of scratches) free.give(slice);
    const dead = new Set([...node.inputs, ...node.outputs].filter((tensor) => (lastUse.get(tensor) ?? index) <= index && !outputs.includes(tensor)));
    const stillHeld = new Set([...slices].filter(([tensor]) => !dead.has(tensor)).map(([, slice]) => slice));
    for (const tensor of dead) {
      const slice = slices.get(tensor);
      slices.delete(tensor);
      if (slice && owned.has(slice) && !stillHeld.has(slice)) {
        owned.delete(slice);
        free.give(slice);
      }
    }
  }
  // A reused buffer may be larger than the tensor in it; what is handed out is the tensor's own range.
  return { calls, slices: new Map(outputs.map((tensor) => [tensor, { ...sliceOf(tensor), size: byteLength(tensor) }])) };
}

const typeOf = ({ shape, dtype }: Tensor): Pick<Tensor, 'shape' | 'dtype'> => ({ shape, dtype });

/** The given places, and for a tensor that is added onto in place the place where the sum must land. */
function bindThroughAliases(nodes: readonly Node[], bindings: ReadonlyMap<Tensor, Slice>): Map<Tensor, Slice> {
  const slices = new Map(bindings);
  for (const node of nodes.toReversed()) {
    const alias = node.operation.inPlace?.(node.inputs.length, node.attributes as never);
    if (!alias) continue;
    const slice = slices.get(node.outputs[alias.output]!);
    const from = node.inputs[alias.input]!;
    if (slice && !slices.has(from)) slices.set(from, slice);
  }
  return slices;
}

/** The nodes that some output depends on, in order. */
export function neededNodes(graph: Graph, outputs: readonly Tensor[]): Node[] {
  const wanted = new Set(outputs);
  const needed: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => wanted.has(output))) continue;
    needed.push(node);
    for (const input of node.inputs) wanted.add(input);
  }
  return needed.toReversed();
}

/** For every tensor the index of the last node that reads it; asked-for tensors live for ever. */
function lastUses(nodes: readonly Node[], outputs: readonly Tensor[]): Map<Tensor, number> {
  const last = new Map<Tensor, number>();
  for (const [index, node] of nodes.entries()) for (const input of node.inputs) last.set(input, index);
  for (const output of outputs) last.set(output, Number.POSITIVE_INFINITY);
  return last;
}

/** Buffers whose tensors are dead, by category; the smallest that fits is reused, a new one is made when none fits well. */
class FreeLists {
  readonly #free = new Map<BufferCategory, Slice[]>();
  readonly #categories = new Map<Slice, BufferCategory>();
  readonly #pool: BufferPool;
  readonly #category: BufferCategory;

  constructor(pool: BufferPool, category: BufferCategory) {
    this.#pool = pool;
    this.#category = category;
  }

  take(size: number, label: string, category = this.#category): Slice {
    const free = this.#free.get(category) ?? [];
    let best = -1;
    for (const [index, slice] of free.entries()) {
      if (slice.size >= size && slice.size <= 2 * size + 65536 && (best < 0 || slice.size < free[best]!.size)) best = index;
    }
    if (best >= 0) return free.splice(best, 1)[0]!;
    const slice = this.#pool.storage(size, category, label);
    this.#categories.set(slice, category);
    return slice;
  }

  give(slice: Slice): void {
    const category = this.#categories.get(slice)!;
    const free = this.#free.get(category) ?? [];
    free.push(slice);
    this.#free.set(category, free);
  }
}
