import { expect, it } from 'vitest';
import type { Basis } from './decompose.ts';
import type { BasisQuality } from './quality.ts';
import { worstBasis } from './worst.ts';

const basis = (quality: Readonly<Record<string, Omit<BasisQuality, 'rounds'>>>, measured = true): Basis => {
  const slice = { buffer: undefined as unknown as GPUBuffer, offset: 0, size: 0 };
  const names = Object.keys(quality);
  return { batch: { shard: 0, rows: 4, columns: 4, names, offsets: names.map(() => 0) }, k: 1, u: slice, v: slice, sigma: slice, quality: measured ? names.map((name) => ({ ...quality[name]!, rounds: 1 })) : [] };
};

it('is the one that spans least, and of equals the one that lacks most energy', () => {
  const bases = [basis({ a: { overlap: 1, lostEnergy: 1e-3 }, b: { overlap: 0.9, lostEnergy: 1e-7 } }), basis({ c: { overlap: 0.9, lostEnergy: 1e-6 } }), basis({ d: { overlap: 0, lostEnergy: 1 } }, false)];
  expect(worstBasis(bases)).toEqual({ name: 'c', overlap: 0.9, lostEnergy: 1e-6 });
  expect(worstBasis(bases.slice(2))).toBeUndefined();
});
