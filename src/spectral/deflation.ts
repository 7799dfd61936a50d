/**
 * @file What is left of the matrices of a batch without the directions that are known: W - U Uᵀ W, and its Gram matrices. Squaring a matrix leaves f32
 * blind to values below a thousandth of the largest; without the large ones the next are the largest.
 */
import keepSource from '../../shaders/spectral-keep.wgsl?raw';
import { f32Constant, kernel, type Call, type Slice } from '../gpu/kernel.ts';
import type { Program } from '../gpu/program.ts';
import type { MatrixBatch, ParameterBuffers } from '../models/parameters.ts';
import type { Room } from './decompositionRoom.ts';
import type { BatchProducts } from './matrixProducts.ts';
import type { Workspace } from './workspace.ts';

interface DeflationParts {
  readonly together: number;
  readonly k: number;
  readonly products: BatchProducts;
  readonly room: Room;
}

export class Deflation {
  private constructor(
    private readonly workspace: Workspace,
    private readonly values: ParameterBuffers,
    private readonly batch: MatrixBatch,
    /** [together, rows, columns] */
    private readonly rest: Slice,
    /** [together]: leading columns of the short factor that are known */
    private readonly kept: Slice,
    private readonly programs: { readonly take: Program; readonly merge: Program },
  ) {}

  static async create(workspace: Workspace, values: ParameterBuffers, batch: MatrixBatch, { together, k, products, room }: DeflationParts): Promise<Deflation> {
    const { rows, columns } = batch;
    const { n, long } = room;
    const rest = workspace.storage(together * rows * columns, 'matrices without what is known');
    const known = workspace.storage(together * n * k, 'known directions');
    const negated = workspace.storage(together * n * k, 'known directions, negated');
    const kept = workspace.upload(new Uint32Array(together), 'known columns');
    const keep = (from: Slice, to: Slice, sign: number, MERGE = false): Call => ({
      kernel: kernel('spectral keep', keepSource, ['read', 'read', 'write'], { ROWS: n, COLUMNS: k, SIGN: f32Constant(sign), MERGE }),
      slices: [from, kept, to],
      grid: [Math.ceil(k / 64), n, together],
    });
    const isWide = rows <= columns;
    const [left, right] = isWide ? [negated, room.longRaw] : [room.longRaw, negated];
    const take = await workspace.record('deflation', [
      keep(room.shortFactor, known, 1),
      keep(room.shortFactor, negated, -1),
      ...products.toLong(known, k, room.longRaw),
      ...workspace.product({ layout: 'NT', m: rows, n: columns, k, batch: together, accumulate: true }, { a: left, b: right, c: rest }),
      ...workspace.product({ layout: isWide ? 'NT' : 'TN', m: n, n, k: long, batch: together, skip: 'below' }, { a: rest, b: rest, c: room.gram }),
    ]);
    const merge = await workspace.record('known directions', [keep(known, room.shortRaw, 1, true)]);
    return new Deflation(workspace, values, batch, rest, kept, { take, merge });
  }

  /**
   * Submits the Gram matrices of what is left.
   * @param members which matrices of the batch stand in the room
   * @param kept leading columns of the short factor of each that are taken out
   */
  async replay(members: readonly number[], kept: readonly number[]): Promise<void> {
    const { device } = this.workspace.context.gpu;
    const { names, rows, columns } = this.batch;
    for (const [z, member] of members.entries()) {
      const weight = this.values.layout.weights.find(({ name }) => name === names[member])!;
      device.queue.writeBuffer(this.rest.buffer, this.rest.offset + 4 * z * rows * columns, await this.values.read(device, weight));
    }
    device.queue.writeBuffer(this.kept.buffer, this.kept.offset, Uint32Array.from(kept));
    this.programs.take.replay();
  }

  /** Puts the known directions in front of those that were found in the rest. */
  merge(): void {
    this.programs.merge.replay();
  }
}
