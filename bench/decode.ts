/**
 * @file Tokens a second of prompts and answers, beside transformers on the same cores:
 * `node scripts/run.mjs bench/decode.ts --model=FOLDER [--rounds=1] [--lengths=32,128,512] [--batches=1,8,32] [--tokens=16] [--precision=f32] [--cache=f32] [--threads=2]`.
 *
 * FOLDER is a checkpoint as the Hugging Face Hub has it. Prompts are random tokens, of which no two begin alike. "Prompt" is the
 * time until every sequence has its first token, "answer" that of the tokens after it; the best of the rounds, the two sides by turns.
 * transformers (decode.py, f32, with its own cache) needs python3; without it the engine is measured alone. Greedy tokens of the two sides are compared.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createEngine, type FloatType } from '../src/engine.ts';
import { testGpu } from '../src/gpu/testing.ts';
import { folderFiles, option, repository } from './node.ts';

interface Timing {
  /** Seconds. */
  readonly prompt: number;
  readonly answer: number;
  /** [sequence][token], the first token included. */
  readonly tokens: readonly (readonly number[])[];
}

type Side = (ids: readonly (readonly number[])[], tokens: number) => Promise<Timing>;

const folder = option('model', '');
if (!folder) throw new Error('Say which model: --model=FOLDER');
const numbers = (name: string, fallback: string): number[] => option(name, fallback).split(',').map(Number);
const tokens = Number(option('tokens', '16'));

/** transformers in a process of its own, that answers one request at a time; undefined where it does not start. */
async function transformers(): Promise<Side | undefined> {
  const python = spawn('python3', [join(repository, 'bench/decode.py'), folder, option('threads', '2')], { stdio: ['pipe', 'pipe', 'ignore'] });
  const lines = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const line = await lines.next();
    return line.done ? undefined : (JSON.parse(line.value) as unknown);
  };
  python.on('error', () => undefined);
  python.stdin.on('error', () => undefined);
  const started = (await answer()) as { readonly versions: string } | undefined;
  if (!started) return undefined;
  console.log(`${started.versions}, ${option('threads', '2')} threads`);
  return async (ids, count) => {
    python.stdin.write(`${JSON.stringify({ ids, tokens: count })}\n`);
    return (await answer()) as Timing;
  };
}

const engine = createEngine(await testGpu());
const { facts } = engine.gpu;
console.log(`${facts.description}, subgroups of ${facts.subgroupSize}`);
const lab = await engine.open(await folderFiles(folder), { precision: option('precision', 'f32') as FloatType });
const other = await transformers();
if (!other) console.log('python3 with transformers is not there: the engine alone.');

/** Ids of prompts that differ from their first token on. */
function prompts(count: number, length: number): number[][] {
  let state = 1;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  return Array.from({ length: count }, (_, i) => Array.from({ length }, (_id, at) => (at === 0 ? 100 + i : Math.floor(100 + next() * (lab.model.config.vocabSize - 200)))));
}

console.log('prompt  sequences        prompt, tokens/s             answer, tokens/s\n                     engine  transf.  share      engine  transf.  share   same tokens');
for (const batch of numbers('batches', '1,8,32')) {
  for (const length of numbers('lengths', '32,128,512')) {
    const generator = await lab.generator(lab.model.weights, { sequences: batch, length: length + tokens + 1, cache: option('cache', 'f32') as FloatType });
    const own: Side = async (ids, count) => {
      generator.begin(ids.map((prompt) => ({ prompt })), { temperature: 0, topK: 0, topP: 1, seed: 0 });
      const started = performance.now();
      const first = await generator.advance(1);
      const read = performance.now();
      const rest = await generator.advance(count);
      return { prompt: (read - started) / 1000, answer: (performance.now() - read) / 1000, tokens: ids.map((_, i) => [...first.tokens[i]!, ...rest.tokens[i]!].map(({ id }) => id)) };
    };
    // Compiles every program that the round needs: whole chunks, what is left over, and the step.
    await own(prompts(batch, Math.min(length, 20)), 1);
    await own(prompts(batch, length).slice(0, Math.ceil(160 / length)), 1);
    const ids = prompts(batch, length);
    const sides: Timing[][] = [[], []];
    for (let round = 0; round < Number(option('rounds', '1')); round++) {
      sides[0]!.push(await own(ids, tokens));
      if (other) sides[1]!.push(await other(ids, tokens));
    }
    generator.destroy();
    const [[mine], [theirs]] = sides as [[Timing], [Timing?]];
    const rates = (of: 'prompt' | 'answer', count: number): string => {
      const [a, b] = sides.map((each) => (count * batch) / Math.min(...each.map((timing) => timing[of])));
      return `${a!.toFixed(1).padStart(8)} ${theirs ? b!.toFixed(1).padStart(8) : '       -'} ${theirs ? `${((100 * a!) / b!).toFixed(0)}%`.padStart(6) : '     -'}`;
    };
    const same = theirs ? mine.tokens.filter((row, i) => row.join() === theirs.tokens[i]!.join()).length : undefined;
    console.log(`${String(length).padStart(6)} ${String(batch).padStart(10)}   ${rates('prompt', length)}    ${rates('answer', tokens)}   ${same === undefined ? '-' : `${same} of ${batch}`}`);
  }
}
process.exit(0);
