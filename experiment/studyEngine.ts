/** @file The engine on this machine's GPU as a backend of the study. */
import { openAsBlob } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { folderFiles, repository } from '../bench/node.ts';
import { importDataset } from '../src/data/dataset.ts';
import type { Example } from '../src/data/examples.ts';
import type { FineTuneSettings, Lab, TokenisedExample, WeightSet } from '../src/engine.ts';
import { createEngine } from '../src/engine.ts';
import { testGpu } from '../src/gpu/testing.ts';
import type { MatrixDrift } from '../src/spectral/drift.ts';
import { firstTokens, PROBE_TOKENS } from '../src/spectral/states.ts';
import { reinforceByEngine } from './reinforceEngine.ts';
import type { PlannedRun } from './studyPlan.ts';
import { EVALUATE_EVERY, EVALUATION_ROWS, everyNth, FISHER_EXAMPLES, LENGTH, MEASURED_FRACTION, nameOf, settingsOf, STEPS } from './studyPlan.ts';
import type { Backend, CurvePoint, DriftResult, Measures, Point } from './studyResults.ts';
import { scored } from './studyResults.ts';
import { weightsFile } from './studyWeights.ts';

const SHAPE = { rows: EVALUATION_ROWS, length: LENGTH };

type Suites = Readonly<Record<'train' | 'heldOut' | 'outOfDomain', readonly TokenisedExample[]>>;

/**
 * Opens the built-in model on the GPU.
 * @param model SHA-256 of model.safetensors
 */
export async function startEngine(model: string): Promise<Backend> {
  const engine = createEngine(await testGpu());
  const lab = await engine.open(await folderFiles(join(repository, 'public/model')));
  const read = async (name: string): Promise<readonly Example[]> => (await importDataset(new File([await readFile(join(repository, 'public/data', name))], name))).examples.read();
  const load = async (name: string): Promise<TokenisedExample[]> => lab.tokenise(await read(name), LENGTH);
  const questions = await read('demo-train.jsonl');
  const suites = { train: await load('demo-train.jsonl'), heldOut: await load('demo-heldout.jsonl'), outOfDomain: await load('ood.jsonl') };
  return {
    source: 'engine',
    device: engine.gpu.facts.description,
    async train(planned) {
      const started = performance.now();
      const { points, trainingSeconds, weights } = await train(lab, planned, suites);
      await writeFile(await weightsFile(model, planned), weights);
      engine.gpu.assertHealthy();
      return { points, trainingSeconds, seconds: (performance.now() - started) / 1000 };
    },
    async measure(planned) {
      const file = await weightsFile(model, planned);
      const bytes = await openAsBlob(file).catch(() => undefined);
      if (!bytes) return undefined;
      const weights = await lab.loadWeights(bytes, file);
      try {
        return await measure(lab, weights, suites);
      } finally {
        lab.release(weights);
      }
    },
    async fisher(suite, fraction) {
      const { whole, examples } = await lab.fisher(lab.model.weights, await lab.decompose(fraction), everyNth(suites[suite], FISHER_EXAMPLES));
      return { suite, fraction, source: 'engine', examples, chance: whole.chance, top: whole.top.share, random: whole.random!.share, tail: whole.tail!.share };
    },
    curve: (settings) => curve(lab, settings, suites),
    reinforce: (planned) => reinforceByEngine(lab, planned, suites, questions),
    async close() {
      lab.destroy();
    },
  };
}

async function train(lab: Lab, planned: PlannedRun, { train: rows, heldOut, outOfDomain }: Suites): Promise<{ points: Point[]; trainingSeconds: number; weights: Uint8Array }> {
  const run = await lab.fineTune(settingsOf(planned), rows);
  const evaluator = await lab.evaluator(run.weights, SHAPE);
  const points: Point[] = [];
  let trainingSeconds = 0;
  try {
    for (;;) {
      points.push({ step: run.step, heldOut: scored(await evaluator.evaluate(heldOut)), outOfDomain: scored(await evaluator.evaluate(outOfDomain)) });
      if (run.step === STEPS) {
        const { 'model.safetensors': file } = Object.fromEntries(await lab.exportFolder(run.weights, ''));
        return { points, trainingSeconds, weights: new Uint8Array(await file!.arrayBuffer()) };
      }
      const before = performance.now();
      for (let i = 0; i < EVALUATE_EVERY; i++) run.submitStep();
      const skipped = (await run.readMetrics()).filter((record) => record.skipped).length;
      trainingSeconds += (performance.now() - before) / 1000;
      if (skipped) throw new Error(`${nameOf(planned)}: ${skipped} steps were not finite.`);
    }
  } finally {
    evaluator.destroy();
    run.destroy();
  }
}

async function curve(lab: Lab, settings: FineTuneSettings, suites: Suites): Promise<CurvePoint[]> {
  const run = await lab.fineTune(settings, suites.train);
  try {
    while (run.step < settings.schedule.steps) run.submitStep();
    return await run.readMetrics();
  } finally {
    run.destroy();
  }
}

async function measure(lab: Lab, weights: WeightSet, { heldOut, outOfDomain }: Suites): Promise<Measures> {
  const decomposition = await lab.decompose(MEASURED_FRACTION);
  const meter = lab.driftMeter(weights, decomposition);
  const drift = driftOf(await meter.measure());
  const { states } = await lab.representationDrift(weights, outOfDomain, SHAPE);
  const { cka, cosine, pcaShift } = states.at(-1)!;
  const { baseToTuned, tunedToBase, jensenShannon } = await lab.outputDrift(weights, firstTokens(outOfDomain, PROBE_TOKENS), SHAPE);
  const restored = async (part: 'block' | 'values' | 'rotation') => {
    const { weights: copy } = await lab.restore(weights, decomposition, part);
    const results = { heldOut: scored(await lab.evaluate(heldOut, SHAPE, copy)), outOfDomain: scored(await lab.evaluate(outOfDomain, SHAPE, copy)) };
    lab.release(copy);
    return results;
  };
  return {
    drift,
    representation: { cka, cosine, pcaShift, layerCka: states.slice(0, -1).map((state) => state.cka) },
    output: { baseToTuned, tunedToBase, jensenShannon },
    restore: { block: await restored('block'), values: await restored('values'), rotation: await restored('rotation') },
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function driftOf(matrices: readonly MatrixDrift[]): DriftResult {
  const over = (value: (matrix: MatrixDrift) => number): number => mean(matrices.map(value));
  return {
    leftAngle: over(({ leftAngles }) => mean(leftAngles)),
    rightAngle: over(({ rightAngles }) => mean(rightAngles)),
    largestAngle: over(({ leftAngles, rightAngles }) => Math.max(leftAngles.at(-1)!, rightAngles.at(-1)!)),
    vectorAlignment: over(({ vectorAlignment }) => vectorAlignment),
    blockShare: over(({ block }) => block.share),
    blockDiagonal: over(({ block }) => block.diagonal),
    blockChance: over(({ block }) => block.chance),
    singularValueChange: over(({ sigma0, sigma }) => mean(sigma0.map((before, i) => Math.abs(sigma[i]! - before) / before))),
    relativeChange: over(({ relativeChange }) => relativeChange),
  };
}
