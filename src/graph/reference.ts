/** @file Runs a graph in plain f64 on the CPU, operation by operation: what the kernels are held to. */
import { neededNodes } from './compile.ts';
import type { Graph, ReferenceArray, Tensor } from './graph.ts';

/**
 * Values of `outputs` in f64.
 * @param feeds values of the sources, by tensor
 * @throws when a needed source was not fed
 */
export function evaluateReference(graph: Graph, outputs: readonly Tensor[], feeds: ReadonlyMap<Tensor, ReferenceArray>): Map<Tensor, ReferenceArray> {
  const values = new Map(feeds);
  for (const node of neededNodes(graph, outputs)) {
    const inputs = node.inputs.map((tensor) => {
      const value = values.get(tensor);
      if (!value) throw new Error(`${tensor.name} was not fed.`);
      return value;
    });
    const results = node.operation.reference(inputs, node.attributes as never, node.inputs, node.outputs);
    for (const [index, output] of node.outputs.entries()) values.set(output, results[index]!);
  }
  return new Map(outputs.map((tensor) => [tensor, values.get(tensor)!]));
}
