/**
 * @file Importing a large file: the most JavaScript heap it takes, the longest time for which nothing else got a turn, and how long a row takes to be read
 * again. The file is written to a temporary folder first. Run under a limit to see that the heap holds it:
 *
 *     node --max-old-space-size=160 scripts/run.mjs bench/import.ts [--megabytes=1024] [--kind=jsonl|jsonl.gz|csv] [--file=PATH]
 */
import { createWriteStream, openAsBlob } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { importDataset } from '../src/data/dataset.ts';
import type { DataFile } from '../src/data/source.ts';
import { option } from './node.ts';

const megabytes = Number(option('megabytes', '1024'));
const kind = option('kind', 'jsonl');
const given = option('file', '');
const folder = await mkdtemp(join(tmpdir(), 'import-'));

/** Rows like GSM8K's, no two the same. */
function* rows(): Generator<string, void> {
  if (kind === 'csv') yield 'question,answer\n';
  for (let i = 0, length = 0; length < megabytes * 2 ** 20; i++) {
    const [a, b] = [i % 9973, (i * 7919) % 10_007];
    const question = `Row ${i}: a farm has ${a} hens, "${b}" ducks and a pond. Each morning the farmer counts them twice, once at the gate and once at the pond, and writes the larger number down. How many birds are there in all, and how many more ducks than hens?`;
    const answer = `There are ${a} + ${b} = <<${a}+${b}=${a + b}>>${a + b} birds in all.\nThe difference is ${b} - ${a} = <<${b}-${a}=${b - a}>>${b - a}.\n#### ${a + b}`;
    const row = kind === 'csv' ? `"${question.replaceAll('"', '""')}","${answer}"\n` : `${JSON.stringify({ question, answer })}\n`;
    length += row.length;
    yield row;
  }
}

/** Some 64 kB at a time; a stream of single rows would take longer than the import. */
function* blocks(): Generator<string, void> {
  let block: string[] = [];
  for (const row of rows()) if (block.push(row) === 128) yield block.splice(0).join('');
  yield block.join('');
}

try {
  const path = given === '' ? join(folder, `rows.${kind}`) : given;
  if (given === '') await pipeline([Readable.from(blocks()), ...(kind.endsWith('.gz') ? [createGzip({ level: 1 })] : []), createWriteStream(path)]);
  const blob = await openAsBlob(path);
  const file: DataFile = { name: basename(path), size: blob.size, stream: () => blob.stream(), slice: (start, end) => blob.slice(start, end) };

  const before = process.memoryUsage().heapUsed;
  let most = 0;
  let reports = 0;
  const turns = monitorEventLoopDelay({ resolution: 1 });
  turns.enable();
  const started = performance.now();
  const sampler = setInterval(() => {
    most = Math.max(most, process.memoryUsage().heapUsed);
  }, 5);
  const dataset = await importDataset(file, {}, () => {
    reports++;
    most = Math.max(most, process.memoryUsage().heapUsed);
  });
  clearInterval(sampler);
  turns.disable();
  const seconds = (performance.now() - started) / 1000;
  const readStarted = performance.now();
  for (let i = 0; i < 100; i++) await dataset.examples.at(Math.floor((dataset.examples.length - 1) * ((i * 0.618) % 1)));
  const read = (performance.now() - readStarted) / 100;
  const repeatsStarted = performance.now();
  const duplicates = dataset.fingerprints.duplicates().length;
  const repeats = performance.now() - repeatsStarted;
  const mb = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;
  console.log(
    `${file.name}, ${mb(file.size)}, ${dataset.examples.length.toLocaleString('en-US')} rows, taken for ${dataset.kind}: ${seconds.toFixed(1)} s, ${(file.size / 2 ** 20 / seconds).toFixed(0)} MB/s, ${reports.toLocaleString('en-US')} reports\n` +
      `heap: ${mb(before)} before, ${mb(most)} at most, garbage included; longest wait for a turn ${(turns.max / 1e6).toFixed(0)} ms, 99.9 percentile ${(turns.percentile(99.9) / 1e6).toFixed(0)} ms\n` +
      `a row by its number: ${read.toFixed(2)} ms; duplicates: ${duplicates}, found in ${repeats.toFixed(0)} ms; resident ${mb(process.memoryUsage().rss)}`,
  );
} finally {
  await rm(folder, { recursive: true });
}
