/**
 * @file Fine-tunes the built-in model for a few steps and writes it as the page exports it, with the losses the engine
 * gives for some items, for check_export.py to compare.
 *
 *     node scripts/run.mjs reference/export.ts FOLDER && python reference/check_export.py FOLDER
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { folderFiles, repository } from '../bench/node.ts';
import { importDataset } from '../src/data/dataset.ts';
import { createEngine } from '../src/engine.ts';
import { testGpu } from '../src/gpu/testing.ts';

const folder = process.argv[2];
if (!folder) throw new Error('Usage: node scripts/run.mjs reference/export.ts FOLDER');
const lab = await createEngine(await testGpu()).open(await folderFiles(join(repository, 'public/model')));
const { examples: store } = await importDataset(new File([await readFile(join(repository, 'public/data/demo-train.jsonl'))], 'demo-train.jsonl'));
const examples = await store.read();
const items = lab.tokenise(examples, 64);
const run = await lab.fineTune(
  {
    method: 'rpsft',
    lambda: 10,
    rankFraction: 0.5,
    optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: 1 },
    schedule: { kind: 'constant', learningRate: 5e-4, warmupSteps: 0, steps: 5 },
    batchSize: 4,
    accumulation: 1,
    length: 64,
    seed: 1,
  },
  items,
);
for (let step = 0; step < 5; step++) run.submitStep();
await run.readMetrics();
const compared = items.slice(0, 8);
const losses = await lab.evaluate(compared, { rows: 8, length: 64 }, run.weights);
await mkdir(folder, { recursive: true });
for (const [name, blob] of await lab.exportFolder(run.weights, '# Exported for check_export.py\n')) await writeFile(join(folder, name), Buffer.from(await blob.arrayBuffer()));
const expected = compared.map(({ ids, trained }, i) => ({ ids: [...ids], trained: [...trained], nll: losses[i]!.nll, exact: losses[i]!.exact }));
await writeFile(join(folder, 'expected.json'), JSON.stringify(expected));
process.exit(0);
