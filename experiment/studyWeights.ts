/** @file The weights of finished runs, which are measured when the grid has chosen: too large to be kept with the results. */
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PlannedRun } from './studyPlan.ts';
import { nameOf } from './studyPlan.ts';

/** Where a backend leaves the weights of a finished run, adapters merged, and where either finds them: among the system's temporary files. */
export async function weightsFile(model: string, run: PlannedRun): Promise<string> {
  const folder = join(tmpdir(), `gimbal-study-${model.slice(0, 12)}`);
  await mkdir(folder, { recursive: true });
  return join(folder, `${nameOf(run).replaceAll(/[^\w.]+/g, '-')}.safetensors`);
}
