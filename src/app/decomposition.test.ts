import { expect, it } from 'vitest';
import { decompositionLine } from './decomposition.ts';

const worst = { name: 'model.layers.14.mlp.down_proj.weight', lostEnergy: 2.34e-7, overlap: 0.99999 };

it('says where the bases come from and states the worst', () => {
  expect(decompositionLine({ matrices: 211, from: 'decomposed', seconds: 14.2, notes: [], worst })).toBe('211 matrices decomposed in 14\u00a0s; worst: layers.14.mlp.down_proj, at least 0.9999 of the exact subspace, at most 2e-7 of its energy missing.');
  expect(decompositionLine({ matrices: 1, from: 'kept', seconds: 0.2, notes: [] })).toBe('Bases of 1 matrix read from this browser in under\u00a01\u00a0s.');
  expect(decompositionLine({ matrices: 36, from: 'device', seconds: 0, notes: [], worst: { ...worst, overlap: 1, lostEnergy: 0 } })).toBe('Bases of 36 matrices taken over from the run before; worst: layers.14.mlp.down_proj, at least 1.0000 of the exact subspace, at most 0 of its energy missing.');
});
