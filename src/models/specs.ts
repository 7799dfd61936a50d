/** @file Parameters made of weights, as the families list them. */
import type { ParameterSpec, WeightPart } from './parameters.ts';

const rowsOf = (parts: readonly WeightPart[]): number => parts.reduce((sum, { rows }) => sum + rows, 0);

/** Matrices of `columns` columns, stacked by rows. */
export const matrix = (name: string, columns: number, parts: readonly WeightPart[]): ParameterSpec => ({ name, shape: [rowsOf(parts), columns], parts });

/** Vectors one after the other. */
export const vector = (name: string, parts: readonly WeightPart[]): ParameterSpec => ({ name, shape: [rowsOf(parts)], parts });

/** Gain and bias of a layer norm of `width` numbers, as `layerNorm` reads them. */
export const affine = (name: string, module: string, width: number): ParameterSpec => vector(name, ['weight', 'bias'].map((kind) => ({ name: `${module}.${kind}`, rows: width })));
