/**
 * @file Writes a few steps of the engine as FOLDER/twin-<run>/expected.json, for check_export.py to run them with reference/twin_run.py. The study rests on the
 * two giving the same; its own comparison (`npm run study -- --agree`) is too long for every `npm test`.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { plainExamples, twinJob } from '../experiment/studyTwin.ts';
import type { FineTuneSettings, Lab, TokenisedExample } from '../src/engine.ts';

const STEPS = 6;
// Strengths at which the penalty shows beside the loss.
const RUNS: Readonly<Record<string, Pick<FineTuneSettings, 'method' | 'lambda' | 'lora'>>> = {
  sft: { method: 'sft', lambda: 0 },
  rpsft: { method: 'rpsft', lambda: 3 },
  'lora-rpsft': { method: 'rpsft', lambda: 30, lora: { rank: 4, alpha: 8, rsLora: false, targets: ['q_proj', 'v_proj', 'down_proj'] } },
};

/**
 * @param base folder of the checkpoint of `lab`
 * @param settings what the runs share
 */
export async function writeTwinRuns(folder: string, lab: Lab, base: string, examples: readonly TokenisedExample[], settings: FineTuneSettings): Promise<void> {
  for (const [name, own] of Object.entries(RUNS)) {
    const whole: FineTuneSettings = { ...settings, ...own, schedule: { kind: 'constant', learningRate: 3e-3, warmupSteps: 2, steps: STEPS } };
    const run = await lab.fineTune(whole, examples);
    while (run.step < STEPS) run.submitStep();
    const curve = (await run.readMetrics()).map(({ loss, crossEntropy, penalty, gradientNorm }) => ({ loss, crossEntropy, penalty, gradientNorm }));
    run.destroy();
    const setup = { model: base, suites: { train: plainExamples(examples) } };
    await mkdir(join(folder, `twin-${name}`), { recursive: true });
    await writeFile(join(folder, `twin-${name}`, 'expected.json'), JSON.stringify({ kind: 'twin', setup, job: { ...twinJob(whole, examples, lab.model.architecture.linears), curve: true }, curve }));
  }
}
