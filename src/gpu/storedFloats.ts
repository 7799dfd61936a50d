/**
 * @file How floats lie in a buffer: as f32, or as halves that kernels widen when they load them. Nothing is computed in
 * halves. Packed halves need no feature of the device; f16 is read as such where the device has shader-f16.
 */
import source from '../../shaders/stored-floats.wgsl?raw';
import type { AdapterFacts } from './device.ts';
import type { Kernel } from './kernel.ts';
import { keepFlagged } from './kernel.ts';

/** A float as it is stored. Two halves share a 32-bit word, the first in its low bits. */
export type FloatType = 'f32' | 'bf16' | 'f16';

/** Bytes of `count` floats, whole words. */
export const floatBytes = (type: FloatType, count: number): number => (type === 'f32' ? 4 * count : 4 * Math.ceil(count / 2));

const isNative = (type: FloatType, { features }: AdapterFacts): boolean => type === 'f16' && features.includes('shader-f16');

/**
 * WGSL that declares the buffer `name` and the function that reads it: `name_four(i)` with `fours`, else `name_one(i)`,
 * both f32. The kernel must go through `enableHalves`.
 */
export function storedFloats(name: string, binding: number, type: FloatType, facts: AdapterFacts, { fours = false } = {}): string {
  const native = isNative(type, facts);
  const flags = { FOURS: fours, F32: type === 'f32', BF16: type === 'bf16', PACKED: type === 'f16' && !native, NATIVE: native };
  return keepFlagged(source.replace(/^\/\/ .*\n/gm, ''), flags, 'stored floats').replaceAll('NAME', name).replaceAll('BINDING', String(binding));
}

/** The kernel with the WGSL extension that reading `types` needs, if any. */
export function enableHalves(kernel: Kernel, types: readonly FloatType[], facts: AdapterFacts): Kernel {
  return types.some((type) => isNative(type, facts)) ? { ...kernel, code: `enable f16;\n${kernel.code}` } : kernel;
}
