/**
 * @file Which examples make up an optimizer step, and how they lie in a batch of fixed shape [rows, seqLen].
 *
 * Every step takes exactly `batchSize` examples, so that "batch 16" means here what it means in PyTorch, however long the examples are. They are packed
 * several to a row; attention and positions restart with every document, so packing changes speed and not the loss. The epochs follow each other as one
 * endless list (order of an epoch = f(seed, epoch)), of which step s takes the examples [s * batchSize, (s + 1) * batchSize): (seed, step) is the whole
 * state. The number of rows is fixed at set-up, from the steps the run will take or from the worst case.
 */
import { Random, shuffledIndices } from './random.ts';
import type { TokenisedExample } from './tokenise.ts';
import type { TokenisedList } from './tokenStore.ts';
import { countTrained, measuresOf } from './tokenStore.ts';

/** The label of a position that is not trained; -100 elsewhere. */
export const IGNORED_LABEL = 0xffff_ffff;

export interface BatchShape {
  readonly rows: number;
  readonly seqLen: number;
}

/** All arrays are [rows, seqLen], flat in row-major order. */
export interface Batch extends BatchShape {
  readonly ids: Uint32Array<ArrayBuffer>;
  /** The next token of the same document where it is trained, else IGNORED_LABEL. */
  readonly labels: Uint32Array<ArrayBuffer>;
  /** Position within the document. */
  readonly positions: Uint32Array<ArrayBuffer>;
  /** Index within the row at which the document of this token begins. Every padding token is a document of its own, so that it attends to nothing. */
  readonly documentStart: Uint32Array<ArrayBuffer>;
  /** 1 / trainedTokens where there is a label, else 0. A step of several batches has to divide by the trained tokens of all (transformers issue 34191). */
  readonly rowWeights: Float32Array<ArrayBuffer>;
  /** Index of the example, as given to the batch, or -1 in padding. */
  readonly exampleOf: Int32Array<ArrayBuffer>;
  readonly trainedTokens: number;
  /** Tokens that are no padding. */
  readonly tokens: number;
  /** Rows from this one on are padding only, and a micro-batch of them may be left out. */
  readonly usedRows: number;
}

/** `packed` fills rows with as many documents as fit; `one-per-row` puts each in a row of its own. */
export type Packing = 'packed' | 'one-per-row';

/**
 * The row of each document, first-fit over falling lengths: never more than 11/9 of the fewest rows possible, plus one (Johnson 1973).
 * @param lengths [documents], each at most `seqLen`.
 */
export function packRows(lengths: readonly number[], seqLen: number, packing: Packing): Uint32Array {
  const rowOf = new Uint32Array(lengths.length);
  const free: number[] = [];
  for (const document of byFallingLength(lengths)) {
    const length = lengths[document]!;
    if (length > seqLen) throw new RangeError(`a document of ${length} tokens does not fit a row of ${seqLen}`);
    let row = packing === 'packed' ? free.findIndex((tokens) => tokens >= length) : -1;
    if (row < 0) row = free.push(seqLen) - 1;
    free[row]! -= length;
    rowOf[document] = row;
  }
  return rowOf;
}

export interface BatchPlanOptions {
  /** Examples in one optimizer step. */
  readonly batchSize: number;
  readonly seqLen: number;
  readonly seed: number;
  readonly padTokenId: number;
  /** The steps the run will take: rows are then counted on these very batches. Without it, for the longest examples meeting in one batch. */
  readonly steps?: number | undefined;
  readonly packing?: Packing | undefined;
}

/** The batches of a run. Holds nothing that changes: `batch(step)` is the same in whatever order, and after whatever restart, it is asked. */
export class BatchPlan {
  readonly shape: BatchShape;
  readonly batchSize: number;
  readonly #examples: TokenisedList;
  readonly #lengths: Uint32Array;
  readonly #options: BatchPlanOptions;
  readonly #packing: Packing;
  /** Rows of the batchSize longest examples, the longest first. */
  readonly #worstRows: Uint32Array;
  #epoch = -1;
  #order: Uint32Array = new Uint32Array(0);

  /** @throws RangeError without examples, or where one is longer than `seqLen`. */
  constructor(examples: TokenisedList, options: BatchPlanOptions) {
    if (examples.length === 0) throw new RangeError('there are no examples to make batches of');
    const { batchSize, seqLen, steps, packing = 'packed' } = options;
    this.#examples = examples;
    this.#options = options;
    this.#packing = packing;
    this.batchSize = batchSize;
    this.#lengths = measuresOf(examples).lengths.slice();
    const lengths = this.#lengths.toSorted().reverse();
    // A step may reach over the end of an epoch, so one example can be in it as often as epochs are touched.
    const epochsTouched = Math.ceil((batchSize - 1) / examples.length) + 1;
    const longest = Array.from({ length: batchSize }, (_, i) => lengths[Math.floor(i / epochsTouched)]!);
    this.#worstRows = packRows(longest, seqLen, packing);
    let rows = countRows(this.#worstRows);
    if (steps !== undefined) {
      const worst = rows;
      rows = 1;
      for (let step = 0; step < steps && rows < worst; step++) rows = Math.max(rows, countRows(this.#pack(this.examplesOf(step))));
    }
    this.shape = { rows, seqLen };
  }

  /** Passes over the data that `step` steps amount to. */
  epochsAt(step: number): number {
    return (step * this.batchSize) / this.#examples.length;
  }

  /** Indices of the examples of a step, [batchSize]. */
  examplesOf(step: number): Uint32Array {
    return Uint32Array.from({ length: this.batchSize }, (_, i) => {
      const place = step * this.batchSize + i;
      return this.#orderOf(Math.floor(place / this.#examples.length))[place % this.#examples.length]!;
    });
  }

  /** @throws RangeError for a step past `steps` that needs more rows than those did. */
  batch(step: number): Batch {
    const indices = this.examplesOf(step);
    const rowOf = this.#pack(indices);
    if (countRows(rowOf) > this.shape.rows) throw new RangeError(`step ${step} needs ${countRows(rowOf)} rows; the plan was made with ${this.shape.rows}, for ${this.#options.steps ?? 0} steps`);
    return layOut(indices, this.#examples, rowOf, this.shape, this.#options.padTokenId);
  }

  #orderOf(epoch: number): Uint32Array {
    if (epoch !== this.#epoch) {
      this.#order = shuffledIndices(this.#examples.length, new Random(this.#options.seed, epoch));
      this.#epoch = epoch;
    }
    return this.#order;
  }

  /** First-fit, which on rare batches takes a row more than on longer ones; these lie as the longest do: the i-th longest here fits where that one fitted. */
  #pack(indices: Uint32Array): Uint32Array {
    const lengths = Array.from(indices, (index) => this.#lengths[index]!);
    const rowOf = packRows(lengths, this.#options.seqLen, this.#packing);
    if (countRows(rowOf) <= countRows(this.#worstRows)) return rowOf;
    byFallingLength(lengths).forEach((document, rank) => {
      rowOf[document] = this.#worstRows[rank]!;
    });
    return rowOf;
  }
}

/** Examples in the order given, in as few rows as fit: for evaluation and for the preview. */
export function batchOf(indices: ArrayLike<number>, examples: TokenisedList, seqLen: number, padTokenId: number, packing: Packing = 'packed'): Batch {
  const rowOf = packRows(Array.from(indices, (index) => examples.at(index)!.ids.length), seqLen, packing);
  return layOut(Uint32Array.from(indices), examples, rowOf, { rows: countRows(rowOf), seqLen }, padTokenId);
}

/**
 * Examples in batches of one shape, in first-fit rows with padding after them: for programs that are recorded once.
 * @throws RangeError for an example longer than a row
 */
export function* batchesOfShape(examples: readonly TokenisedExample[], shape: BatchShape, padTokenId: number): Generator<Batch & { readonly indices: Uint32Array }> {
  const rowOf = packRows(examples.map(({ ids }) => ids.length), shape.seqLen, 'packed');
  const batches: number[][] = [];
  for (const [index, row] of rowOf.entries()) (batches[Math.floor(row / shape.rows)] ??= []).push(index);
  for (const own of batches) {
    const indices = Uint32Array.from(own);
    yield { ...layOut(indices, examples, indices.map((index) => rowOf[index]! % shape.rows), shape, padTokenId), indices };
  }
}

function layOut(indices: Uint32Array, examples: TokenisedList, rowOf: Uint32Array, { rows, seqLen }: BatchShape, padTokenId: number): Batch {
  const size = rows * seqLen;
  const ids = new Uint32Array(size).fill(padTokenId);
  const labels = new Uint32Array(size).fill(IGNORED_LABEL);
  const positions = new Uint32Array(size);
  const documentStart = new Uint32Array(size);
  const rowWeights = new Float32Array(size);
  const exampleOf = new Int32Array(size).fill(-1);
  const filled = new Uint32Array(rows);
  const trainedTokens = indices.reduce((sum, index) => sum + countTrained(examples.at(index)!.trained), 0);
  const weight = trainedTokens === 0 ? 0 : 1 / trainedTokens;

  indices.forEach((index, i) => {
    const { ids: own, trained } = examples.at(index)!;
    const row = rowOf[i]!;
    const start = filled[row]!;
    for (let position = 0; position < own.length; position++) {
      const at = row * seqLen + start + position;
      ids[at] = own[position]!;
      positions[at] = position;
      documentStart[at] = start;
      exampleOf[at] = index;
      if (trained[position + 1] !== 1) continue;
      labels[at] = own[position + 1]!;
      rowWeights[at] = weight;
    }
    filled[row] = start + own.length;
  });
  const tokens = filled.reduce((sum, count) => sum + count, 0);
  for (let row = 0; row < rows; row++) for (let start = filled[row]!; start < seqLen; start++) documentStart[row * seqLen + start] = start;
  return { rows, seqLen, ids, labels, positions, documentStart, rowWeights, exampleOf, trainedTokens, tokens, usedRows: countRows(rowOf) };
}

const countRows = (rowOf: Uint32Array): number => rowOf.reduce((most, row) => Math.max(most, row + 1), 0);

/** Indices of the documents, the longest first; equal lengths keep their order. */
const byFallingLength = (lengths: readonly number[]): number[] => lengths.map((_, i) => i).sort((a, b) => lengths[b]! - lengths[a]!);
