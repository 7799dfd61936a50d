/**
 * @file What the top-k basis is compared with: random directions, and the singular vectors of the smallest values. If
 * they do as well, it is not the leading directions that matter.
 */
import type { Context } from '../gpu/context.ts';
import type { ParameterBuffers } from '../models/parameters.ts';
import { decompose, destroyBases, hashName, type Basis, type Directions } from './decompose.ts';
import { orthonormalCalls, orthonormalScratch, sketchCall } from './orthonormalize.ts';
import { Workspace, type Progress } from './workspace.ts';

/** `random`: uniform over all subspaces of k dimensions. `tail`: of the k smallest singular values. */
export type ControlKind = 'random' | 'tail';

/** The left and the right directions of a matrix are drawn apart. */
const SIDES = { u: 0x10001, v: 0x20002 } as const;

/**
 * Directions of the same matrices and k as `bases`; free them with `destroyBases`. Random ones are a function of the
 * seed and the matrix's name. Tail ones come from the same eigenproblem as the top ones. An error thrown by `onProgress` ends the work and leaves
 * nothing behind.
 * @param values the pretrained weights
 */
export async function controlDirections(context: Context, values: ParameterBuffers, bases: readonly Pick<Directions, 'batch' | 'k'>[], kind: ControlKind, seed: number, onProgress: Progress = () => undefined): Promise<Directions[]> {
  const total = bases.reduce((sum, { batch }) => sum + batch.names.length, 0);
  const controls: Directions[] = [];
  let done = 0;
  try {
    for (const { batch, k } of bases) {
      if (kind === 'tail') {
        controls.push(await decompose(context, values, batch, { k, seed, smallest: true }, () => onProgress((done += 1), total)));
        continue;
      }
      controls.push(await randomDirections(context, { batch, k }, seed));
      onProgress((done += batch.names.length), total);
    }
  } catch (error) {
    destroyBases(context, controls);
    throw error;
  }
  return controls;
}

/** The Q of a Gaussian matrix is uniform over all subspaces. */
async function randomDirections(context: Context, { batch, k }: Pick<Basis, 'batch' | 'k'>, seed: number): Promise<Directions> {
  const workspace = new Workspace(context);
  try {
    const { rows, columns, names } = batch;
    const side = (length: number, which: keyof typeof SIDES) => {
      const tall = { batch: names.length, rows: length, columns: k };
      const seeds = workspace.upload(Uint32Array.from(names, (name) => hashName(name) ^ seed ^ SIDES[which]), 'seeds');
      const slice = workspace.storage(names.length * length * k, `random directions ${which}`, 'bases');
      return { slice, calls: [sketchCall(tall, seeds, slice), ...orthonormalCalls(workspace, tall, seeds, slice, orthonormalScratch(workspace, tall))] };
    };
    const [u, v] = [side(rows, 'u'), side(columns, 'v')];
    (await workspace.record('random directions', [...u.calls, ...v.calls])).replay();
    await context.gpu.device.queue.onSubmittedWorkDone();
    for (const { slice } of [u, v]) workspace.release(slice);
    return { batch, k, u: u.slice, v: v.slice };
  } finally {
    workspace.destroy();
  }
}
