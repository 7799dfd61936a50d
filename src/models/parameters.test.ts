/** @file Weights in halves: what is written comes back rounded to the nearest, vectors stay f32, and errors name the weight. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from '../formats/floats.ts';
import type { Context } from '../gpu/context.ts';
import { GpuMemoryError } from '../gpu/device.ts';
import { testContext } from '../gpu/testing.ts';
import { randomNormal } from '../graph/testing.ts';
import { ParameterBuffers, ParameterLayout } from './parameters.ts';
import { copyWidened } from './widen.ts';

const specs = [
  // Stacked parts of even and an odd number of weights, a matrix of whole fours, and vectors.
  { name: 'qkv', shape: [9, 6], parts: [{ name: 'q', rows: 4 }, { name: 'k', rows: 5 }] },
  { name: 'odd', shape: [5, 7], parts: [{ name: 'odd', rows: 5 }] },
  { name: 'square', shape: [16, 16], parts: [{ name: 'square', rows: 16 }] },
  { name: 'gain', shape: [5], parts: [{ name: 'gain', rows: 5 }] },
  { name: 'bias', shape: [6], parts: [{ name: 'bias', rows: 6 }] },
];

let context: Context;
beforeAll(async () => {
  context = await testContext();
});
afterAll(() => context.pool.destroyAll());

describe.each([
  ['bf16', (values: Float32Array) => bfloat16ToFloat32(float32ToBfloat16(values))],
  ['f16', (values: Float32Array) => float16ToFloat32(float32ToFloat16(values))],
] as const)('weights in %s', (precision, rounded) => {
  it('come back rounded, take half the bytes, and widen on the GPU', async () => {
    const { device } = context.gpu;
    const layout = new ParameterLayout(specs, 2 ** 20);
    const halves = new ParameterBuffers(layout, context.pool, 'pretrained', 'halves', precision);
    const wide = new ParameterBuffers(layout, context.pool, 'weights', 'wide');
    expect(halves.shards[0]!.size).toBe(wide.shards[0]!.size - 2 * layout.matrixElements[0]!);
    const values = new Map(layout.weights.map(({ name, rows, columns }, i) => [name, Float32Array.from(randomNormal(rows * columns, i))]));
    for (const weight of layout.weights) halves.write(device, weight, values.get(weight.name)!);
    await copyWidened(context, halves, wide);
    for (const weight of layout.weights) {
      const expected = weight.shape.length > 1 ? rounded(values.get(weight.name)!) : values.get(weight.name)!;
      expect([...(await halves.read(device, weight))], weight.name).toEqual([...expected]);
      expect([...(await wide.read(device, weight))], weight.name).toEqual([...expected]);
    }
  });
});

describe('a weight that cannot be kept', () => {
  const bounds = 2 ** 20;
  it('in f16 is named with its number', () => {
    const layout = new ParameterLayout(specs, bounds);
    const buffers = new ParameterBuffers(layout, context.pool, 'pretrained', 'halves', 'f16');
    const large = Float32Array.from({ length: 24 }, (_, i) => (i === 7 ? -65520 : 65519));
    expect(() => buffers.write(context.gpu.device, layout.weights[0]!, large)).toThrow('q holds -65520 at element 7, beyond the 65504 of f16');
  });

  it('because it begins within a word is named', () => {
    const layout = new ParameterLayout([{ name: 'ab', shape: [6, 3], parts: [{ name: 'a', rows: 3 }, { name: 'b', rows: 3 }] }], bounds);
    const buffers = new ParameterBuffers(layout, context.pool, 'pretrained', 'halves', 'bf16');
    expect(() => buffers.write(context.gpu.device, layout.weights[1]!, new Float32Array(9))).toThrow(/b begins in the middle of a word/);
  });

  it('because it is larger than a buffer is named, with the precision that helps', () => {
    const { largest } = context.pool;
    const rows = Math.ceil(largest / 4096) + 1;
    const table = { name: 'embed_tokens', shape: [rows, 1024], parts: [{ name: 'embed_tokens', rows }] };
    const layout = new ParameterLayout([...specs, table], largest);
    const held = context.pool.bytes.get('pretrained');
    const make = (): unknown => new ParameterBuffers(layout, context.pool, 'pretrained', 'weights');
    expect(make).toThrow(GpuMemoryError);
    expect(make).toThrow(new RegExp(`embed_tokens takes ${rows * 4096} bytes in f32; .* at most ${largest} .* open the model in bf16`));
    expect(context.pool.bytes.get('pretrained')).toBe(held);
  });
});
