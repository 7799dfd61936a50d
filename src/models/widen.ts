/** @file The f32 copy of a model that training changes, made on the GPU whatever the model is kept in. */
import widenSource from '../../shaders/widen.wgsl?raw';
import type { Context } from '../gpu/context.ts';
import { kernel, linearGrid } from '../gpu/kernel.ts';
import type { Command } from '../gpu/program.ts';
import { Program } from '../gpu/program.ts';
import { enableHalves, storedFloats } from '../gpu/storedFloats.ts';
import type { ParameterBuffers } from './parameters.ts';

/** Copies all numbers of `from` into `to`, which is f32. */
export async function copyWidened({ gpu, pipelines, counting }: Context, from: ParameterBuffers, to: ParameterBuffers): Promise<void> {
  if (counting) return;
  const { device, facts } = gpu;
  if (from.precision === to.precision) {
    to.copyFrom(device, from);
    return;
  }
  const { layout, precision } = from;
  const commands = layout.shardSizes.flatMap((size, shard): Command[] => {
    const matrices = layout.matrixElements[shard]!;
    const widen = kernel('widen', storedFloats('halves', 0, precision, facts, { fours: true }) + widenSource, ['read', 'write'], { FOURS_COUNT: matrices / 4 });
    return [
      ...(matrices > 0 ? [{ kernel: enableHalves(widen, [precision], facts), slices: [from.range(shard, 0, matrices), to.range(shard, 0, matrices)], grid: linearGrid(matrices / 4, 256) }] : []),
      ...(matrices < size ? [{ copy: { from: from.range(shard, matrices, size - matrices), to: to.range(shard, matrices, size - matrices) } }] : []),
    ];
  });
  (await Program.record(device, pipelines, 'widen', commands)).replay();
}
