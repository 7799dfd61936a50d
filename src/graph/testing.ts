/**
 * @file How every operation is held to the truth: its kernels against its f64 reference, and its gradient rule, run in
 * f64, against finite differences of the forward reference.
 */
import { readFloats } from '../gpu/buffers.ts';
import type { AdapterFacts } from '../gpu/device.ts';
import { Program } from '../gpu/program.ts';
import { cutTo, storedWords, testContext } from '../gpu/testing.ts';
import { compile } from './compile.ts';
import { applyRule } from './gradients.ts';
import type { ReferenceArray, Tensor } from './graph.ts';
import { elementCount, floatType, Graph } from './graph.ts';
import { evaluateReference } from './reference.ts';

/** Deterministic standard normal numbers, rounded to f32 so that both sides start from the same bits. */
export function randomNormal(count: number, seed: number): Float64Array {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return Float64Array.from({ length: count }, () => Math.fround(Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())));
}

/**
 * Runs a graph once on the test GPU; u32 sources take integers from their feed.
 * @param pretend facts of another adapter, whose kernels are wanted
 */
export async function runOnGpu(graph: Graph, outputs: readonly Tensor[], feeds: ReadonlyMap<Tensor, ReferenceArray>, pretend: Partial<AdapterFacts> = {}): Promise<Map<Tensor, Float64Array>> {
  const { gpu, pipelines, pool } = await testContext();
  const bindings = new Map([...feeds].map(([tensor, values]) => [tensor, pool.upload(tensor.dtype === 'u32' ? Uint32Array.from(values) : storedWords(Float32Array.from(values), tensor.dtype), 'other', tensor.name)]));
  const { calls, slices } = compile(graph, outputs, { facts: { ...gpu.facts, ...pretend }, pool, bindings });
  const program = await Program.record(gpu.device, pipelines, 'test', calls);
  program.replay();
  const results = new Map<Tensor, Float64Array>();
  for (const [tensor, slice] of slices) {
    const floats = await readFloats(gpu.device, slice);
    results.set(tensor, Float64Array.from(tensor.dtype === 'u32' ? new Uint32Array(floats.buffer) : floats));
  }
  pool.destroyAll();
  gpu.assertHealthy();
  return results;
}

/** The largest |actual - expected| over the largest |expected|. */
export function relativeError(actual: ReferenceArray, expected: ReferenceArray): number {
  let worst = 0;
  let largest = 1e-30;
  for (const [i, value] of expected.entries()) {
    const difference = Math.abs(actual[i]! - value);
    worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
    largest = Math.max(largest, Math.abs(value));
  }
  return worst / largest;
}

export interface OperationCase {
  /** Builds the node under test on sources it makes itself; returns the node's outputs. */
  readonly build: (graph: Graph) => readonly Tensor[];
  /** Values for sources by name; other f32 sources get normal numbers. */
  readonly feeds?: Readonly<Record<string, readonly number[] | Float64Array>>;
  /** Sources (by name) whose gradients are checked; default: every f32 source. */
  readonly differentiate?: readonly string[];
  readonly seed?: number;
  /** Facts of another adapter, whose kernels are to be measured. */
  readonly pretend?: Partial<AdapterFacts>;
}

export interface OperationErrors {
  /** Relative error of each forward output on the GPU. */
  readonly forward: readonly number[];
  /** Relative error of each input gradient on the GPU, by source name. */
  readonly gradient: Readonly<Record<string, number>>;
  /** Relative error of each input gradient of the f64 rule against central differences, by source name. */
  readonly finiteDifference: Readonly<Record<string, number>>;
}

/**
 * Measures one operation. The scalar that is differentiated is the sum of each f32 output times a random cotangent.
 */
export async function measureOperation({ build, feeds = {}, differentiate, seed = 1, pretend }: OperationCase): Promise<OperationErrors> {
  const graph = new Graph();
  const outputs = build(graph);
  const values = new Map<Tensor, ReferenceArray>();
  for (const [index, source] of graph.sources.entries()) {
    values.set(source, Float64Array.from(feeds[source.name] ?? randomNormal(elementCount(source.shape), seed + index), (value) => cutTo(floatType(source), value)));
  }
  const expected = evaluateReference(graph, outputs, values);
  const actual = await runOnGpu(graph, outputs, values, pretend);
  const forward = outputs.map((output) => relativeError(actual.get(output)!, expected.get(output)!));

  const node = outputs[0]!.node!;
  const wanted = node.inputs.filter((input) => input.dtype === 'f32' && (differentiate ? differentiate.includes(input.name) : true));
  const gradient: Record<string, number> = {};
  const finiteDifference: Record<string, number> = {};
  if (wanted.length > 0 && 'gradient' in node.operation) {
    const cotangents = outputs.map((output, i) => (output.dtype === 'f32' ? graph.source('input', `cotangent ${i}`, output.shape) : undefined));
    for (const [i, cotangent] of cotangents.entries()) if (cotangent) values.set(cotangent, randomNormal(elementCount(cotangent.shape), seed + 100 + i));
    const produced = applyRule(node, cotangents, { graph, onto: () => undefined, needs: () => true, alsoComputes: () => undefined });
    const pairs = wanted.map((input) => [input, produced[node.inputs.indexOf(input)]!] as const);
    const analytic = evaluateReference(graph, pairs.map(([, tensor]) => tensor), values);
    const onGpu = await runOnGpu(graph, pairs.map(([, tensor]) => tensor), values, pretend);
    for (const [input, tensor] of pairs) {
      gradient[input.name] = relativeError(onGpu.get(tensor)!, analytic.get(tensor)!);
      const scalar = (at: ReferenceArray): number => {
        const result = evaluateReference(graph, outputs, new Map(values).set(input, at));
        return outputs.reduce((sum, output, i) => sum + (cotangents[i] ? dot(result.get(output)!, values.get(cotangents[i])!) : 0), 0);
      };
      finiteDifference[input.name] = differenceError(scalar, values.get(input)!, analytic.get(tensor)!);
    }
  }
  return { forward, gradient, finiteDifference };
}

const dot = (a: ReferenceArray, b: ReferenceArray): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** Central differences at up to 24 spread-out coordinates, relative to the largest analytic entry. */
export function differenceError(scalar: (at: ReferenceArray) => number, at: ReferenceArray, analytic: ReferenceArray, step = 1e-5): number {
  const stride = Math.max(1, Math.floor(at.length / 24));
  const largest = analytic.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  let worst = 0;
  for (let i = 0; i < at.length; i += stride) {
    const moved = at.slice();
    moved[i] = at[i]! + step;
    const above = scalar(moved);
    moved[i] = at[i]! - step;
    worst = Math.max(worst, Math.abs((above - scalar(moved)) / (2 * step) - analytic[i]!));
  }
  return worst / largest;
}
