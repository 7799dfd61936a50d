/**
 * @file Reverse-mode differentiation: one walk backwards over the graph, one rule per operation.
 */
import type { GradientContext, Graph, Node, Operation, Tensor } from './graph.ts';
import { add } from './ops/add.ts';

export interface Gradients {
  /** The gradient of the loss by parameter. */
  readonly of: ReadonlyMap<Tensor, Tensor>;
  /** Forward outputs that the backward nodes compute as well; ask for these instead and the forward node is not run. */
  readonly same: ReadonlyMap<Tensor, Tensor>;
}

type MaybeTensors = readonly (Tensor | undefined)[];

/** Gradients of a node's inputs by the rule of its operation. @throws when it has none */
export function applyRule(node: Node, outputGradients: MaybeTensors, context: GradientContext): MaybeTensors {
  // A node holds the attributes of its own operation; the type of a list of nodes cannot say so.
  const operation = node.operation as unknown as Operation<unknown>;
  if (!operation.gradient) throw new Error(`${operation.name} has no gradient rule.`);
  return operation.gradient(node, outputGradients, context);
}

/**
 * Adds to `graph` the nodes that compute the gradient of a loss.
 * @param loss output of an operation that stands for a scalar by itself and needs no incoming gradient (`ops/head-loss.ts`)
 * @param parameters tensors to differentiate with respect to
 * @param onto for a parameter, a tensor that its gradient is added to in place (accumulation over micro-batches)
 * @param recompute computes each segment between checkpoints again before its backward pass (arXiv 1604.06174), so that the
 *   inner tensors of one segment live at a time; the same kernels run on the same numbers, so gradients are the same bits
 * @throws when a parameter is not f32 or does not reach the loss, or an operation on the way has no rule
 */
export function gradients(graph: Graph, loss: Tensor, parameters: readonly Tensor[], onto: ReadonlyMap<Tensor, Tensor> = new Map(), recompute = false): Gradients {
  const lossNode = loss.node;
  if (!lossNode) throw new Error(`${loss.name} is a source, not a loss.`);
  for (const { name, dtype } of parameters) if (dtype !== 'f32') throw new Error(`${name} is kept as ${dtype}; only f32 can be trained.`);
  const needed = dependents(graph, parameters);
  const found = new Map<Tensor, Tensor>(onto);
  const same = new Map<Tensor, Tensor>();
  const reached = new Set<Tensor>();
  const forward = graph.nodes.slice(0, graph.nodes.indexOf(lossNode) + 1);
  const segments = recompute ? cut(forward, graph.checkpoints) : [forward];
  for (const [index, segment] of segments.toReversed().entries()) {
    // What the last segment made is still there when its backward pass begins.
    const again = index === 0 ? new Map<Node, Node>() : repeat(graph, segment, segments.slice(segments.length - index).flat());
    for (const node of segment.toReversed()) back(node, again.get(node) ?? node);
  }

  /** Applies the rule of a node to `made`, the node itself or its repetition, and books the gradients to the node's inputs. */
  function back(node: Node, made: Node): void {
    const incoming = node.outputs.map((output) => found.get(output));
    if (node !== lossNode && incoming.every((gradient) => !gradient)) return;
    if (!node.inputs.some((input) => needed.has(input))) return;
    const included = new Set<Tensor>();
    const outgoing = applyRule(made, incoming, {
      graph,
      onto(index) {
        const before = found.get(node.inputs[index]!);
        if (before) included.add(node.inputs[index]!);
        return before;
      },
      needs: (index) => needed.has(node.inputs[index]!),
      alsoComputes: (output, twin) => same.set(node.outputs[made.outputs.indexOf(output)]!, twin),
    });
    for (const [index, input] of node.inputs.entries()) {
      const gradient = outgoing[index];
      if (!gradient || !needed.has(input)) continue;
      const before = found.get(input);
      found.set(input, before && !included.has(input) ? add(graph, before, gradient) : gradient);
      reached.add(input);
    }
  }

  const of = new Map<Tensor, Tensor>();
  for (const parameter of parameters) {
    if (!reached.has(parameter)) throw new Error(`${parameter.name} does not reach the loss.`);
    of.set(parameter, found.get(parameter)!);
  }
  return { of, same };
}

/** The tensors that depend on one of `roots`, the roots included. */
function dependents(graph: Graph, roots: readonly Tensor[]): Set<Tensor> {
  const set = new Set(roots);
  for (const node of graph.nodes) {
    if (node.inputs.some((input) => set.has(input))) for (const output of node.outputs) set.add(output);
  }
  return set;
}

/** The nodes in runs that end at the checkpoints. */
function cut(nodes: readonly Node[], checkpoints: readonly number[]): Node[][] {
  const ends = [...checkpoints.filter((end) => end < nodes.length), nodes.length];
  return ends.map((end, i) => nodes.slice(ends[i - 1] ?? 0, end));
}

/**
 * Writes the nodes of a segment into the graph once more, reading what the segments before it left. A node of which
 * something goes on to later nodes is not repeated: its outputs are kept, or where `fromFirst` allows, the first of them.
 */
function repeat(graph: Graph, segment: readonly Node[], later: readonly Node[]): Map<Node, Node> {
  const inside = new Set(segment);
  const kept = new Set(later.flatMap(({ inputs }) => inputs.map(({ node }) => node)));
  const twins = new Map<Tensor, Tensor>();
  const again = new Map<Node, Node>();
  const remade = new Set<Node>();
  const twin = (input: Tensor): Tensor => {
    const { node } = input;
    if (node && !inside.has(node) && !remade.has(node)) {
      remade.add(node);
      const outputs = node.operation.fromFirst?.(graph, node as Node & { readonly attributes: never }) ?? [];
      for (const [index, output] of outputs.entries()) twins.set(node.outputs[index]!, output);
    }
    return twins.get(input) ?? input;
  };
  for (const node of segment) {
    // A kept node keeps its outputs for its rule and reads the repetitions of its inputs.
    const inputs = node.inputs.map(twin);
    if (kept.has(node)) {
      again.set(node, { ...node, inputs });
      continue;
    }
    const outputs = graph.apply(node.operation, inputs, node.attributes as never);
    for (const [index, output] of node.outputs.entries()) twins.set(output, outputs[index]!);
    again.set(node, outputs[0]!.node!);
  }
  return again;
}
