import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoraAdapter } from '../formats/lora.ts';
import type { Context } from '../gpu/context.ts';
import { testContext } from '../gpu/testing.ts';
import { randomNormal, relativeError } from '../graph/testing.ts';
import { AdaptedWeights, merge, targetLinears } from './adapter.ts';
import { randomBase, SMALL_LINEARS } from './testing.ts';

const SETTINGS = { r: 4, alpha: 6, rsLora: false } as const;

let context: Context;
let base: ReturnType<typeof randomBase>;
beforeAll(async () => {
  context = await testContext();
  base = randomBase(context, SMALL_LINEARS, 1);
});
afterAll(() => context.pool.destroyAll());

const numbers = (count: number, seed: number): Float32Array<ArrayBuffer> => Float32Array.from(randomNormal(count, seed));

const given = (r: number, modules: readonly string[]): LoraAdapter => ({
  settings: { ...SETTINGS, r },
  modules: modules.map((name, i) => {
    const { rows, columns } = base.linears.find(({ module }) => module === name)!;
    return { name, a: numbers(r * columns, 2 * i), b: numbers(rows * r, 2 * i + 1) };
  }),
});

describe('targetLinears', () => {
  it('selects by the last parts of paths or by whole ones, in the order of the model', () => {
    const names = (targets: readonly string[]): string[] => targetLinears(base.linears, targets).map(({ module }) => module);
    expect(names(['down_proj', 'q_proj'])).toEqual(['model.layers.0.q_proj', 'model.layers.0.down_proj', 'model.layers.1.q_proj', 'model.layers.1.down_proj']);
    expect(names(['model.layers.1.v_proj', '0.k_proj'])).toEqual(['model.layers.0.k_proj', 'model.layers.1.v_proj']);
  });

  it('names a target that selects nothing, and what there is', () => {
    expect(() => targetLinears(base.linears, ['q_proj', 'c_attn'])).toThrow('named c_attn; there are q_proj, k_proj, v_proj, down_proj');
    // Part of a name is not the name.
    expect(() => targetLinears(base.linears, ['proj'])).toThrow('named proj');
    expect(() => targetLinears(base.linears, [])).toThrow('needs layers');
  });
});

describe('AdaptedWeights', () => {
  it('begins as PEFT does: A uniform within 1/sqrt(in), the same for a seed whatever else is adapted, B zero', async () => {
    const one = await AdaptedWeights.create(context, base, SETTINGS, ['v_proj'], 3).matrices();
    const all = await AdaptedWeights.create(context, base, SETTINGS, ['q_proj', 'k_proj', 'v_proj', 'down_proj'], 3).matrices();
    const other = await AdaptedWeights.create(context, base, SETTINGS, ['v_proj'], 4).matrices();
    for (const { name, a, b } of one.modules) {
      expect(all.modules.find((module) => module.name === name)!.a).toEqual(a);
      expect(other.modules.find((module) => module.name === name)!.a).not.toEqual(a);
      expect(b.every((value) => value === 0)).toBe(true);
    }
    const bound = 1 / Math.sqrt(40);
    const values = all.modules.filter(({ name }) => name.endsWith('down_proj')).flatMap(({ a }) => [...a]);
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
    // 320 numbers of variance bound²/3: their mean square is within a sixth of it, four times its deviation.
    const meanSquare = values.reduce((sum, value) => sum + value * value, 0) / values.length;
    expect(Math.abs(meanSquare / (bound * bound / 3) - 1)).toBeLessThan(4 * Math.sqrt(0.8 / values.length));
  });

  it('takes given matrices and gives them back, rows in the order of the file', async () => {
    const adapter = given(3, ['model.layers.0.q_proj', 'model.layers.0.v_proj', 'model.layers.1.down_proj']);
    const adapted = AdaptedWeights.from(context, base, adapter);
    expect(await adapted.matrices()).toEqual(adapter);
    const { fileRows } = base.linears.find(({ module }) => module === 'model.layers.0.v_proj')!;
    const { b } = adapted.modules[1]!;
    const placed = await adapted.trained.read(context.gpu.device, b);
    for (let row = 0; row < 10; row++) expect([...placed.subarray(3 * row, 3 * row + 3)]).toEqual([...adapter.modules[1]!.b.subarray(3 * fileRows![row]!, 3 * fileRows![row]! + 3)]);
    const copy = await adapted.copy(context);
    expect(await copy.matrices()).toEqual(adapter);
    expect(copy.base).toBe(base.weights);
  });

  it.each([false, true])('merges W + s B A into what it reads, alpha / r or alpha / sqrt(r): rsLoRA %s', async (rsLora) => {
    const { modules, settings } = given(3, ['model.layers.0.v_proj', 'model.layers.1.down_proj']);
    const adapted = AdaptedWeights.from(context, base, { modules, settings: { ...settings, rsLora } });
    const scale = rsLora ? 6 / Math.sqrt(3) : 2;
    const merged = await merge(context, adapted);
    for (const weight of base.layout.weights) {
      const before = await base.weights.read(context.gpu.device, weight);
      const expected = Float64Array.from(before);
      const matrices = adapted.modules.find(({ linear }) => `${linear.module}.weight` === weight.name);
      if (matrices) {
        const [a, b] = [await adapted.trained.read(context.gpu.device, matrices.a), await adapted.trained.read(context.gpu.device, matrices.b)];
        for (let at = 0; at < expected.length; at++) for (let q = 0; q < 3; q++) expected[at]! += scale * b[Math.floor(at / weight.columns) * 3 + q]! * a[q * weight.columns + (at % weight.columns)]!;
      }
      const actual = await adapted.read(context.gpu.device, weight);
      if (matrices) expect(relativeError(Float64Array.from(actual), expected), weight.name).toBeLessThan(8 * 2 ** -24);
      else expect(actual).toEqual(before);
      expect(await merged.read(context.gpu.device, weight)).toEqual(actual);
    }
  });

  it('names the module that does not fit and leaves nothing on the GPU', () => {
    const { modules, settings } = given(4, ['model.layers.0.q_proj']);
    const [only] = modules;
    const bytes = new Map(context.pool.bytes);
    const from = (some: readonly typeof only[]): (() => AdaptedWeights) => () => AdaptedWeights.from(context, base, { settings, modules: some.map((module) => module!) });
    expect(from([{ ...only!, name: 'model.layers.2.q_proj' }])).toThrow('model.layers.2.q_proj, which is no linear layer of this model');
    expect(from([only, only])).toThrow('model.layers.0.q_proj twice');
    expect(from([{ ...only!, b: only!.b.slice(1) }])).toThrow('model.layers.0.q_proj: A has 96 numbers and B 95');
    expect(from([{ ...only!, a: only!.a.with(7, Number.NaN) }])).toThrow('model.layers.0.q_proj: A holds NaN at element 7');
    expect(from([])).toThrow('no modules');
    expect(() => AdaptedWeights.create(context, base, { ...SETTINGS, r: 1.5 }, ['q_proj'], 1)).toThrow('not 1.5');
    expect(() => AdaptedWeights.create(context, base, { ...SETTINGS, alpha: 0 }, ['q_proj'], 1)).toThrow('not 0');
    expect(context.pool.bytes).toEqual(bytes);
  });
});
