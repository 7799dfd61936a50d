import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './floats.ts';

const everyHalf = Uint16Array.from({ length: 65_536 }, (_, bits) => bits);

describe('16-bit floats', () => {
  it('reads known half-precision values', () => {
    const values = float16ToFloat32(Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00, 0xfc00, 0x3555));
    expect([...values]).toEqual([1, -2, 65_504, 2 ** -24, -0, Infinity, -Infinity, 0.333251953125]);
  });

  it('reads known bfloat16 values', () => {
    expect([...bfloat16ToFloat32(Uint16Array.of(0x3f80, 0xc000, 0x7f80, 0x4049))]).toEqual([1, -2, Infinity, 3.140625]);
  });

  it('narrows back to the same bits for every value that is not a NaN', () => {
    const isNumber = (values: Float32Array): Uint16Array => everyHalf.filter((bits) => !Number.isNaN(values[bits]));
    const half = float16ToFloat32(everyHalf);
    expect(float32ToFloat16(half).filter((_, i) => !Number.isNaN(half[i]))).toEqual(isNumber(half));
    const brain = bfloat16ToFloat32(everyHalf);
    expect(float32ToBfloat16(brain).filter((_, i) => !Number.isNaN(brain[i]))).toEqual(isNumber(brain));
  });

  it('keeps a NaN a NaN, also when its payload is lost', () => {
    const nan = new Float32Array(Uint32Array.of(0x7f80_0001, 0xffc0_0000).buffer);
    expect([...bfloat16ToFloat32(float32ToBfloat16(nan))]).toEqual([NaN, NaN]);
    expect([...float16ToFloat32(float32ToFloat16(nan))]).toEqual([NaN, NaN]);
  });

  it('rounds to the nearest, ties to even, and overflows to infinity', () => {
    expect([...float32ToFloat16(Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 65_519, 65_520, 2 ** -25, 3 * 2 ** -25))])
      .toEqual([0x3c00, 0x3c02, 0x7bff, 0x7c00, 0x0000, 0x0002]);
    expect([...float32ToBfloat16(Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.4e38))]).toEqual([0x3f80, 0x3f82, 0x7f80]);
  });

  it('never lands further than a neighbouring value', () => {
    fc.assert(fc.property(fc.float({ min: -60_000, max: 60_000, noNaN: true }), (value) => {
      const near = float16ToFloat32(float32ToFloat16(Float32Array.of(value)))[0]!;
      expect(Math.abs(near - value)).toBeLessThanOrEqual(Math.max(Math.abs(value) * 2 ** -11, 2 ** -25));
    }));
  });
});
