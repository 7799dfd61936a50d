/**
 * @file Makes public/recorded/run.json: RPSFT and SFT on the built-in model and demo data, run by the page's own session
 * without a page. It is what the page shows where there is no GPU.
 *
 *     npm run record
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../bench/node.ts';
import { defaultConfig } from '../src/app/method/defaults.ts';
import { testAdapters } from '../src/gpu/testing.ts';
import { memoryDirectory } from '../src/storage/testing.ts';
import type { LabEvent } from '../src/worker/protocol.ts';
import { Session } from '../src/worker/session.ts';

const FILE = join(repository, 'public/recorded/run.json');
/** Digits kept of each number; more than a figure can show, and a tenth of the bytes. */
const DIGITS = 4;

const fetchPublic = async (path: string): Promise<Blob> => new Blob([await readFile(join(repository, 'public', path))]);
const session = new Session(await testAdapters(), { fetchPublic, fetch, openDirectory: async () => memoryDirectory(), browser: 'Node' });
const { port1, port2 } = new MessageChannel();
const ended = new Map<string, (state: string) => void>();
port1.onmessage = ({ data }: MessageEvent<LabEvent>) => {
  if (data.type === 'state' && ['finished', 'stopped', 'failed'].includes(data.state)) ended.get(data.run)?.(data.message ?? data.state);
  if (data.type === 'evaluation') console.log(`step ${data.evaluation.step}: in-domain ${data.evaluation.inDomain.correct}/${data.evaluation.inDomain.items}, out-of-domain ${data.evaluation.outOfDomain.correct}/${data.evaluation.outOfDomain.items}`);
};
await session.connect(port2);
await session.openBuiltIn();
for (const method of ['rpsft', 'sft'] as const) {
  // Three looks at the drift keep the file small.
  const { id } = await session.start({ ...defaultConfig, method, lambda: method === 'sft' ? 0 : defaultConfig.lambda, driftEvery: Math.ceil(defaultConfig.steps / 3) });
  const state = await new Promise<string>((resolve) => ended.set(id, resolve));
  console.log(`${method}: ${state}`);
}
const recorded = await session.record();
const rounded = JSON.stringify({ ...recorded, recordedOn: { ...recorded.recordedOn, command: 'npm run record' } }, (_key, value: unknown) => (typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(DIGITS)) : value));
await mkdir(join(repository, 'public/recorded'), { recursive: true });
await writeFile(FILE, `${rounded}\n`);
console.log(`${FILE}: ${(rounded.length / 1e6).toFixed(1)} MB`);
process.exit(0);
