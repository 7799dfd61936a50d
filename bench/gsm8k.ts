/**
 * @file Evaluation by generated answer as the page makes it, timed:
 * `node scripts/run.mjs bench/gsm8k.ts --model=FOLDER --data=test.jsonl [--from=0] [--count=50] [--tokens=96] [--sequences=8] [--precision=f32] [--out=answers.json]`.
 *
 * FOLDER is a checkpoint as the Hugging Face Hub has it, test.jsonl the questions of GSM8K (github.com/openai/grade-school-math).
 * Greedy, through the public entry. `--out` keeps the answers, so that two versions of the engine can be held against each other.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { importDataset } from '../src/data/dataset.ts';
import { createEngine, type FloatType } from '../src/engine.ts';
import { testGpu } from '../src/gpu/testing.ts';
import { folderFiles, option } from './node.ts';

const engine = createEngine(await testGpu());
const lab = await engine.open(await folderFiles(option('model', 'model')), { precision: option('precision', 'f32') as FloatType });
const from = Number(option('from', '0'));
const dataset = await importDataset(new File([await readFile(option('data', 'test.jsonl'))], 'test.jsonl'));
const examples = (await dataset.examples.read()).slice(from, from + Number(option('count', '50')));
const scorer = lab.scorer(lab.model.weights, {
  maxLength: 512,
  template: lab.template,
  rows: 1,
  sequences: Number(option('sequences', '8')),
  samples: 1,
  temperature: 0,
  maxNewTokens: Number(option('tokens', '96')),
  seed: 0,
});
const started = performance.now();
const scored = await scorer.score(examples, 'generation', (work) => work());
const seconds = (performance.now() - started) / 1000;
const right = scored.filter(({ score }) => score === 1).length;
console.log(`${engine.gpu.facts.description}: ${examples.length} questions in ${seconds.toFixed(1)} s, ${right} right.`);
const out = option('out', '');
if (out) await writeFile(out, `${JSON.stringify({ seconds, answers: scored.map(({ given, score }) => ({ given, score })) }, undefined, 1)}\n`);
process.exit(0);
