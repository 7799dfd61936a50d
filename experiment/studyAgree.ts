/**
 * @file The first proof of the study: 50 steps of the engine and of its twin in PyTorch side by side, for every kind of run, from the same settings.
 * Both compute in f32 and sum in other orders, and a difference of roundings grows with the steps: AdamW's first ones divide gradients by themselves.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../bench/node.ts';
import { startEngine } from './studyEngine.ts';
import type { PlannedRun } from './studyPlan.ts';
import { firstOfEach, nameOf, settingsOf } from './studyPlan.ts';
import type { Backend, CurvePoint } from './studyResults.ts';
import { readResults } from './studyResults.ts';
import { startTwin } from './studyTwin.ts';

const STEPS = 50;
const QUANTITIES = ['loss', 'crossEntropy', 'penalty', 'gradientNorm'] as const;

/** Largest differences over the steps, each relative to the engine's value; of a penalty, which begins at 0, to its largest. */
export interface Agreement extends Readonly<Record<(typeof QUANTITIES)[number], number>> {
  readonly name: string;
  readonly steps: number;
}

export const AGREEMENT_FILE = join(repository, 'docs/study/agreement.json');

/** Writes docs/study/agreement.json. */
export async function agree(): Promise<void> {
  const runs = firstOfEach().map((each): PlannedRun => ({ ...each, seed: 1 }));
  const curves = async (backend: Backend): Promise<(readonly CurvePoint[])[]> => {
    const found = [];
    for (const run of runs) found.push(await backend.curve(settingsOf(run, STEPS)));
    await backend.close();
    console.log(`${backend.source}: ${backend.device}`);
    return found;
  };
  const engine = await curves(await startEngine());
  const twin = await curves(await startTwin((await readResults()).model));
  const agreements = runs.map((run, i): Agreement => {
    const worst = (key: (typeof QUANTITIES)[number]): number => {
      const pairs = engine[i]!.map((step, at) => [step[key], twin[i]![at]![key]] as const);
      const largest = Math.max(...pairs.map(([own]) => Math.abs(own)));
      if (largest === 0) return Math.max(...pairs.map(([, other]) => Math.abs(other)));
      return Math.max(...pairs.map(([own, other]) => Math.abs(own - other) / (key === 'penalty' ? largest : Math.abs(own))));
    };
    return { name: nameOf(run), steps: STEPS, loss: worst('loss'), crossEntropy: worst('crossEntropy'), penalty: worst('penalty'), gradientNorm: worst('gradientNorm') };
  });
  for (const { name, ...values } of agreements) console.log(name, values);
  await writeFile(AGREEMENT_FILE, `[\n${agreements.map((each) => JSON.stringify(each)).join(',\n')}\n]\n`);
}
