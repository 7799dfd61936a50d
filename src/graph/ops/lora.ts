/**
 * @file A linear layer with a low-rank adapter (LoRA, arXiv 2106.09685): y = x Wᵀ + s (x Aᵀ) Bᵀ, W frozen. The product
 * B A is never formed, forward or backward.
 *
 * A parameter may stack several layers (q, k, v), each with an adapter of its own or none. They share x, so their A are
 * stacked to one factor [pieces * rank, in] and h = x Aᵀ is one product for all; B [rows, rank] acts piece by piece.
 * Three kernels serve both factors both ways: `narrow` (x Aᵀ, dy B), `widen` (h Bᵀ, dh A) and the factor's gradient.
 */
import factorSource from '../../../shaders/lora-factor.wgsl?raw';
import gradientSource from '../../../shaders/lora-gradient.wgsl?raw';
import narrowSource from '../../../shaders/lora-narrow.wgsl?raw';
import operandsSource from '../../../shaders/lora-operands.wgsl?raw';
import widenSource from '../../../shaders/lora-widen.wgsl?raw';
import type { AdapterFacts } from '../../gpu/device.ts';
import { f32Constant, kernel, type Access, type Call, type Constant, type Slice } from '../../gpu/kernel.ts';
import type { Graph, Operation, Shape, Tensor, TensorType } from '../graph.ts';
import { expectShape } from '../graph.ts';
import { rowLanes } from '../rows.ts';
import { ontoParameter } from './matmul.ts';

/** The columns of a layer's output that one adapter adds to. */
export interface LoraPiece {
  readonly column: number;
  readonly rows: number;
}

/** A factor between `wide` [tokens, width] and `narrow` [tokens, pieces * rank]. */
interface Factor {
  readonly width: number;
  readonly rank: number;
  readonly pieces: readonly LoraPiece[];
  /** Stored [rank, rows] with one piece, as A is; else [sum of rows, rank], as B is. */
  readonly rankMajor: boolean;
  readonly scale: number;
}

const shapeOf = ({ rank, pieces, rankMajor }: Factor): Shape => {
  const rows = pieces.reduce((sum, piece) => sum + piece.rows, 0);
  return rankMajor ? [rank, rows] : [rows, rank];
};

const narrowWidth = ({ rank, pieces }: Factor): number => rank * pieces.length;
const mostRows = ({ pieces }: Factor): number => Math.max(...pieces.map(({ rows }) => rows));

/** The first row of the factor of every piece. */
const firstRows = ({ pieces }: Factor): number[] => pieces.map((_, p) => pieces.slice(0, p).reduce((sum, { rows }) => sum + rows, 0));

function loraKernel(label: string, source: string, bindings: readonly Access[], tokens: number, factor: Factor, constants: Readonly<Record<string, Constant>>): Call['kernel'] {
  const { width, rank, pieces, rankMajor, scale } = factor;
  const list = (name: string, values: readonly number[]): string => `const ${name} = array<u32, ${values.length}>(${values.map((value) => `${value}u`).join()});`;
  const tables = [
    list('COLUMN', pieces.map(({ column }) => column)),
    list('ROWS', pieces.map(({ rows }) => rows)),
    list('FIRST', firstRows(factor)),
  ].join('\n');
  return kernel(label, `${tables}\n${operandsSource}\n${source}`, bindings, {
    TOKENS: tokens,
    WIDTH: width,
    RANK: rank,
    NARROW: narrowWidth(factor),
    SCALE: f32Constant(scale),
    RANK_MAJOR: rankMajor,
    VECTOR: [width, rank, ...pieces.flatMap(({ column, rows }) => [column, rows])].every((size) => size % 4 === 0),
    ...constants,
  });
}

function narrowCall(facts: AdapterFacts, tokens: number, factor: Factor, wide: Slice, matrix: Slice, narrow: Slice): Call {
  return {
    kernel: loraKernel('loraNarrow', `${factorSource}\n${narrowSource}`, ['read', 'read', 'write'], tokens, factor, { LANES: rowLanes(facts) }),
    slices: [wide, matrix, narrow],
    grid: [Math.ceil(factor.rank / 4), Math.ceil(tokens / 4), factor.pieces.length],
  };
}

function widenCall(tokens: number, factor: Factor, narrow: Slice, matrix: Slice, wide: Slice, accumulate: boolean): Call {
  return {
    kernel: loraKernel('loraWiden', `${factorSource}\n${widenSource}`, ['read', 'read', 'write'], tokens, factor, { ACCUMULATE: accumulate }),
    slices: [narrow, matrix, wide],
    grid: [Math.ceil(mostRows(factor) / 64), Math.ceil(tokens / 16), factor.pieces.length],
  };
}

/** A GPU has more lanes than a narrow factor has blocks, so there tokens are shared out too. */
const SLICES = 8;

function gradientCall(facts: AdapterFacts, tokens: number, factor: Factor, wide: Slice, narrow: Slice, gradient: Slice, accumulate: boolean): Call {
  const lanes = facts.software ? rowLanes(facts) : 16;
  const slices = facts.software ? 1 : SLICES;
  return {
    kernel: loraKernel('loraGradient', gradientSource, ['read', 'read', 'write'], tokens, factor, { LANES: lanes, SLICES: slices, SLICED: slices > 1, ACCUMULATE: accumulate }),
    slices: [wide, narrow, gradient],
    grid: [Math.ceil(mostRows(factor) / (4 * lanes)), Math.ceil(factor.rank / 4), factor.pieces.length],
  };
}

/** Calls `visit` with the places of every number that the factor joins: in wide, in narrow and in the factor, of token 0. */
function everyEntry(factor: Factor, visit: (wide: number, narrow: number, matrix: number) => void): void {
  const first = firstRows(factor);
  const { rank, rankMajor } = factor;
  for (const [p, { column, rows }] of factor.pieces.entries()) {
    for (let row = 0; row < rows; row++) {
      for (let q = 0; q < rank; q++) visit(column + row, p * rank + q, rankMajor ? q * rows + row : (first[p]! + row) * rank + q);
    }
  }
}

const tokensOf = ([type]: readonly TensorType[]): number => type!.shape[0]!;

/** Inputs wide, factor -> narrow = scale * wide factor. */
const narrowOperation: Operation<Factor> = {
  name: 'loraNarrow',
  infer(inputs, factor) {
    const tokens = tokensOf(inputs);
    expectShape('loraNarrow', 'the wide tensor', inputs[0]!, [tokens, factor.width]);
    expectShape('loraNarrow', 'the factor', inputs[1]!, shapeOf(factor));
    return [{ shape: [tokens, narrowWidth(factor)], dtype: 'f32' }];
  },
  gradient({ inputs, attributes: factor }, [dh], context) {
    const [x, a] = inputs as [Tensor, Tensor];
    const { graph } = context;
    const dA = graph.apply(factorGradientOperation, withOnto([x, dh!], ontoParameter(context, inputs, 1)), factor)[0]!;
    // What the frozen product has made of x's gradient is `linear`'s own tensor (see `loraLinear`), so it may be added onto.
    return [context.needs(0) ? graph.apply(widenOperation, withOnto([dh!, a], context.onto(0)), factor)[0]! : undefined, dA];
  },
  calls: ({ facts, attributes, inputs, outputs }) => [narrowCall(facts, tokensOf(inputs), attributes, inputs[0]!.slice, inputs[1]!.slice, outputs[0]!.slice)],
  reference([wide, matrix], factor, inputTypes) {
    const tokens = tokensOf(inputTypes);
    const narrow = new Float64Array(tokens * narrowWidth(factor));
    everyEntry(factor, (w, n, m) => {
      for (let t = 0; t < tokens; t++) narrow[t * narrowWidth(factor) + n]! += factor.scale * wide![t * factor.width + w]! * matrix![m]!;
    });
    return [narrow];
  },
};

/** Inputs narrow, factor[, onto] -> wide = [onto +] scale * narrow factorᵀ; columns that no piece has stay as they are. */
const widenOperation: Operation<Factor> = {
  name: 'loraWiden',
  infer(inputs, factor) {
    const tokens = tokensOf(inputs);
    expectShape('loraWiden', 'the narrow tensor', inputs[0]!, [tokens, narrowWidth(factor)]);
    expectShape('loraWiden', 'the factor', inputs[1]!, shapeOf(factor));
    if (inputs[2]) expectShape('loraWiden', 'the tensor added onto', inputs[2], [tokens, factor.width]);
    return [{ shape: [tokens, factor.width], dtype: 'f32' }];
  },
  inPlace: (inputCount) => (inputCount === 3 ? { output: 0, input: 2 } : undefined),
  gradient({ inputs, attributes: factor }, [dy], context) {
    const [h, b] = inputs as [Tensor, Tensor];
    const { graph } = context;
    const dB = graph.apply(factorGradientOperation, withOnto([dy!, h], ontoParameter(context, inputs, 1)), factor)[0]!;
    return [graph.apply(narrowOperation, [dy!, b], factor)[0]!, dB, dy];
  },
  calls: ({ attributes, inputs, outputs }) => [widenCall(tokensOf(inputs), attributes, inputs[0]!.slice, inputs[1]!.slice, outputs[0]!.slice, inputs.length === 3)],
  reference([narrow, matrix, onto], factor, inputTypes) {
    const tokens = tokensOf(inputTypes);
    const wide = onto ? onto.slice() : new Float64Array(tokens * factor.width);
    everyEntry(factor, (w, n, m) => {
      for (let t = 0; t < tokens; t++) wide[t * factor.width + w]! += factor.scale * narrow![t * narrowWidth(factor) + n]! * matrix![m]!;
    });
    return [wide];
  },
};

/** Inputs wide, narrow[, onto] -> gradient of the factor = [onto +] scale * wideᵀ narrow. */
const factorGradientOperation: Operation<Factor> = {
  name: 'loraGradient',
  infer: (_inputs, factor) => [{ shape: shapeOf(factor), dtype: 'f32' }],
  inPlace: (inputCount) => (inputCount === 3 ? { output: 0, input: 2 } : undefined),
  calls: ({ facts, attributes, inputs, outputs }) => [gradientCall(facts, tokensOf(inputs), attributes, inputs[0]!.slice, inputs[1]!.slice, outputs[0]!.slice, inputs.length === 3)],
  reference([wide, narrow, onto], factor, inputTypes) {
    const tokens = tokensOf(inputTypes);
    const [rows, columns] = shapeOf(factor) as [number, number];
    const gradient = onto ? onto.slice() : new Float64Array(rows * columns);
    everyEntry(factor, (w, n, m) => {
      for (let t = 0; t < tokens; t++) gradient[m]! += factor.scale * wide![t * factor.width + w]! * narrow![t * narrowWidth(factor) + n]!;
    });
    return [gradient];
  },
};

const withOnto = (inputs: readonly Tensor[], onto: Tensor | undefined): readonly Tensor[] => (onto ? [...inputs, onto] : inputs);

export interface LoraFactors {
  /** [pieces * rank, in], the A of all pieces one below the other. */
  readonly a: Tensor;
  /** [sum of the pieces' rows, rank], their B one below the other. */
  readonly b: Tensor;
  readonly pieces: readonly LoraPiece[];
  readonly scale: number;
}

/**
 * `frozen(x)` with adapters added onto some of its columns: x [tokens, in] -> [tokens, out].
 * @param frozen the layer without them, which makes a tensor of its own
 */
export function loraLinear(graph: Graph, x: Tensor, { a, b, pieces, scale }: LoraFactors, frozen: (x: Tensor) => Tensor): Tensor {
  const [stackedRank, columns] = a.shape as [number, number];
  // Before the frozen product: going backwards, the gradient of x is then first made by that product and added onto here.
  const h = graph.apply(narrowOperation, [x, a], { width: columns, rank: stackedRank, pieces: [{ column: 0, rows: columns }], rankMajor: true, scale: 1 })[0]!;
  const y = frozen(x);
  return graph.apply(widenOperation, [h, b, y], { width: y.shape[1]!, rank: b.shape[1]!, pieces, rankMajor: false, scale })[0]!;
}

/** W += scale B A, in place: the adapter merged into one matrix. b [rows, rank], a [rank, columns], w [rows, columns]. */
export const mergeCall = ({ rows, columns, rank }: { readonly rows: number; readonly columns: number; readonly rank: number }, scale: number, b: Slice, a: Slice, w: Slice): Call =>
  widenCall(rows, { width: columns, rank, pieces: [{ column: 0, rows: columns }], rankMajor: true, scale }, b, a, w, true);
