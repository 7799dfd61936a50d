/**
 * @file Everything that a run is after a step, as one safetensors file: what is trained, both moments, and what the optimizer carries on the GPU from
 * step to step. Batches and learning rate are functions of the step, so a trainer of the same settings goes on from it to the same bits.
 */
import { FormatError, show } from '../formats/formatError.ts';
import { openSafetensors, readRawTensor, streamSafetensors, type LazyTensor } from '../formats/safetensors.ts';
import { readBack } from '../gpu/buffers.ts';
import type { Slice } from '../gpu/kernel.ts';
import type { ParameterBuffers } from '../models/parameters.ts';
import type { OptimizerState } from './optimizer.ts';

/** What changes from step to step. Numbers stand as the layout has them, which the weights' own files may not. */
export interface Carried {
  readonly trained: ParameterBuffers;
  readonly state: Pick<OptimizerState, 'moment1' | 'moment2' | 'control'>;
}

/** Bytes read back at once: one round trip for a small model, little memory for a large one. */
const READ_AHEAD = 32 * 2 ** 20;

/** The pieces of the file. Nothing may change until they were read. */
export function writeCheckpoint(device: GPUDevice, carried: Carried, step: number): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const tensors = tensorsOf(carried);
  const read = readAhead(device, tensors.map(({ slice }) => slice));
  const lazy = tensors.map(({ name, dtype, shape }, i): LazyTensor => ({ name, dtype, shape, bytes: () => read(i) }));
  return streamSafetensors(lazy, { step: String(step) });
}

/**
 * Uploads what a file holds and returns its step.
 * @throws FormatError naming the tensor that is missing or of another shape; nothing is changed then
 */
export async function readCheckpoint(device: GPUDevice, carried: Carried, source: Blob, fileName: string): Promise<number> {
  const file = await openSafetensors(source, fileName);
  const step = Number(file.metadata.get('step'));
  if (!Number.isSafeInteger(step) || step < 1) throw new FormatError(fileName, 'step', `is ${show(file.metadata.get('step'))}, not the number of a step`);
  const tensors = tensorsOf(carried);
  for (const { name, dtype, shape } of tensors) {
    const found = file.tensors.get(name);
    if (found?.dtype === dtype && found.shape.join() === shape.join()) continue;
    throw new FormatError(fileName, `tensor ${show(name)}`, found ? `is ${found.dtype} ${show(found.shape)}; this run has ${dtype} ${show(shape)}` : 'is missing');
  }
  for (const { name, slice } of tensors) device.queue.writeBuffer(slice.buffer, slice.offset, (await readRawTensor(file, name)).bytes);
  return step;
}

interface CarriedTensor {
  readonly name: string;
  readonly dtype: 'F32' | 'U32';
  readonly shape: readonly number[];
  readonly slice: Slice;
}

/** In the order of the file: by name. */
function tensorsOf({ trained, state }: Carried): CarriedTensor[] {
  const sets = { weight: trained, moment1: state.moment1, moment2: state.moment2 };
  const numbers = Object.entries(sets).flatMap(([kind, buffers]) =>
    trained.layout.weights.map((weight): CarriedTensor => ({ name: `${kind}/${weight.name}`, dtype: 'F32', shape: weight.shape, slice: buffers.slice(weight) })),
  );
  // Floats and counts side by side, so as words.
  const control: CarriedTensor = { name: 'control', dtype: 'U32', shape: [state.control.size / 4], slice: state.control };
  return [...numbers, control].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Reads slices back in order, several at once. */
function readAhead(device: GPUDevice, slices: readonly Slice[]): (index: number) => Promise<Uint8Array<ArrayBuffer>> {
  let first = 0;
  let held: readonly ArrayBuffer[] = [];
  return async (index) => {
    if (index >= first + held.length) {
      let end = index + 1;
      for (let bytes = slices[index]!.size; end < slices.length && bytes + slices[end]!.size <= READ_AHEAD; end++) bytes += slices[end]!.size;
      held = await readBack(device, slices.slice(index, end));
      first = index;
    }
    return new Uint8Array(held[index - first]!);
  };
}
