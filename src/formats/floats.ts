/**
 * @file The two 16-bit float formats of checkpoints, to and from float32. Narrowing rounds to nearest, ties to even, as PyTorch does.
 */

/** bfloat16 is the upper half of a float32. [n] -> [n] */
export function bfloat16ToFloat32(bits: Uint16Array, values = new Float32Array(bits.length)): Float32Array<ArrayBuffer> {
  const wide = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i]! << 16;
  return values;
}

/** [n] -> [n]; a NaN stays a NaN even where its payload lies in the dropped half. */
export function float32ToBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const wide = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const word = wide[i]!;
    const isNaN = (word & 0x7fff_ffff) > 0x7f80_0000;
    bits[i] = isNaN ? (word >>> 16) | 0x0040 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
}

/** IEEE half precision, subnormals, infinities and NaN included. [n] -> [n] */
export function float16ToFloat32(bits: Uint16Array, values = new Float32Array(bits.length)): Float32Array<ArrayBuffer> {
  const wide = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i]!;
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) {
      values[i] = (sign === 0 ? 1 : -1) * fraction * 2 ** -24;
    } else if (exponent === 31) {
      wide[i] = sign | 0x7f80_0000 | (fraction << 13);
    } else {
      wide[i] = sign | ((exponent + 112) << 23) | (fraction << 13);
    }
  }
  return values;
}

/** [n] -> [n]; values above 65,504 become infinite once they round past it. */
export function float32ToFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const wide = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const word = wide[i]!;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fff_ffff;
    if (magnitude > 0x7f80_0000) {
      bits[i] = sign | 0x7e00;
    } else if (magnitude >= 0x4780_0000) {
      bits[i] = sign | 0x7c00;
    } else if (magnitude >= 0x3880_0000) {
      // Normal: rebias the exponent and round the 13 dropped bits; a carry rolls into the exponent, as it should.
      bits[i] = sign | ((magnitude - 0x3800_0000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    } else {
      // Subnormal: multiples of 2^-24, exact in float64 up to the rounding.
      bits[i] = sign | roundHalfToEven(Math.abs(values[i]!) * 2 ** 24);
    }
  }
  return bits;
}

/** The float dtypes that weights are computed from, by their names in safetensors. */
export type FloatDtype = 'F32' | 'F16' | 'BF16';

/** Bits of the exponent, all set in NaN and infinity. */
const EXPONENT = { F32: 0x7f80_0000, F16: 0x7c00, BF16: 0x7f80 } as const;

/**
 * Looks through numbers as they are stored, before anything widens them. `bytes` is aligned to the dtype.
 * @returns the first element that is NaN or infinite and how many there are, or undefined.
 */
export function findNonFinite(bytes: Uint8Array, dtype: FloatDtype): { readonly index: number; readonly count: number } | undefined {
  const { buffer, byteOffset, byteLength } = bytes;
  const words = dtype === 'F32' ? new Int32Array(buffer, byteOffset, byteLength / 4) : new Uint16Array(buffer, byteOffset, byteLength / 2);
  const exponent = EXPONENT[dtype];
  let index = -1;
  let count = 0;
  for (let i = 0; i < words.length; i++) {
    if ((words[i]! & exponent) !== exponent) continue;
    if (count === 0) index = i;
    count++;
  }
  return count === 0 ? undefined : { index, count };
}

function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}
