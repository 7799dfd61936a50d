/** @file How kernels that reduce along a row are laid out: one workgroup a row. */
import type { AdapterFacts } from '../gpu/device.ts';
import type { Grid } from '../gpu/kernel.ts';

/**
 * Lanes of the workgroup that reduces a row. A software adapter runs a workgroup of more than one SIMD register as
 * coroutines that switch at every barrier, which costs far more than the arithmetic; a subgroup is one register there.
 */
export const rowLanes = (facts: AdapterFacts): number => (facts.software ? facts.subgroupSize || 8 : 64);

/** A workgroup a row, folded into two dimensions past the limit of 65,535. */
export const rowGrid = (rows: number): Grid => (rows <= 65535 ? [rows, 1, 1] : [65535, Math.ceil(rows / 65535), 1]);
