/** @file Runs that outlive the page: kept, taken up again after a reload or a lost device, queued, bundled; and what is said when the disk is full. */
import { beforeAll, describe, expect, it } from 'vitest';
import { testAdapters } from '../gpu/testing.ts';
import { unzipFiles, zipFiles } from '../formats/zip.ts';
import type { MemoryDirectory } from '../storage/testing.ts';
import { memoryDirectory } from '../storage/testing.ts';
import type { LabEvent, NamedFile, RunConfig, RunId, StoredRun } from './protocol.ts';
import type { Session } from './session.ts';
import { CONFIG, copyOf, LORA, modelFiles, openPage as openPageOn, PERPLEXITY } from './testing.ts';

let adapters: GPU;
let model: readonly NamedFile[];
beforeAll(async () => {
  adapters = await testAdapters();
  model = await modelFiles(1);
});

const openPage = (disk: MemoryDirectory, options: { readonly gpu?: GPU; readonly files?: readonly NamedFile[] } = {}) => openPageOn(disk, { gpu: adapters, files: model, ...options });

/** The measurements of a run, without the times that they took. */
const measured = ({ events }: Pick<StoredRun, 'events'>): unknown => ({
  steps: events.flatMap((event) => (event.type === 'steps' ? event.steps.map((step) => ({ ...step, tokensPerSecond: 0 })) : [])),
  evaluations: events.flatMap((event) => (event.type === 'evaluation' && event.evaluation.step > 0 ? [{ ...event.evaluation, seconds: 0 }] : [])),
});

/** Adapters whose first device can be lost. */
async function losable(): Promise<{ readonly gpu: GPU; readonly lose: (why: string) => void }> {
  let lose: ((why: string) => void) | undefined;
  const requestAdapter = async (): Promise<GPUAdapter | null> => {
    const adapter = (await adapters.requestAdapter())!;
    if (lose) return adapter;
    const requestDevice = async (description?: GPUDeviceDescriptor): Promise<GPUDevice> => {
      const device = await adapter.requestDevice(description);
      const lost = new Promise<Pick<GPUDeviceLostInfo, 'reason' | 'message'>>((resolve) => {
        lose = (message) => {
          resolve({ reason: 'unknown', message });
          device.destroy();
        };
      });
      Object.defineProperty(device, 'lost', { value: lost });
      return device;
    };
    return Object.create(adapter, { requestDevice: { value: requestDevice }, limits: { value: adapter.limits }, features: { value: adapter.features }, info: { value: adapter.info } }) as GPUAdapter;
  };
  return { gpu: { requestAdapter } as unknown as GPU, lose: (why) => lose!(why) };
}

/** Copies of a disk as a tab leaves it that dies when it begins to write a file. */
function diesAt(disk: MemoryDirectory, file: RegExp): () => MemoryDirectory {
  let left: MemoryDirectory | undefined;
  const append = disk.append.bind(disk);
  disk.append = (name) => {
    if (file.test(name)) left ??= copyOf(disk);
    return append(name);
  };
  return () => left!;
}

/** What is written first after the last step, when the checkpoint of the second is there: another where it costs little, else the weights. */
const AFTER_TRAINING = /\.(4\.checkpoint|safetensors)\.part$/;

const bytesOf = (disk: MemoryDirectory, run: RunId): Uint8Array => disk.files.get(`${run}.safetensors`)!;

describe('runs on disk', () => {
  it.each<[string, RunConfig]>([
    ['all weights', CONFIG],
    ['an adapter with the penalty in singular bases', { ...CONFIG, method: 'rpsft', lora: LORA }],
  ])('go on after a reload to the same bits: %s', async (_, config) => {
    const disk = memoryDirectory();
    const left = diesAt(disk, AFTER_TRAINING);
    const before = await openPage(disk);
    const { id } = await before.session.start(config);
    expect(await before.ended(id)).toBe('finished');
    const [straight] = await before.session.storedRuns();
    expect(straight).toMatchObject({ summary: { id, state: 'finished', completedSteps: 4 }, hasWeights: true, environment: { browser: 'Node' }, notes: { tags: [], pinned: false } });
    before.close();

    const after = await openPage(left());
    const [interrupted] = await after.session.storedRuns();
    expect(interrupted).toMatchObject({ summary: { id, state: 'failed', completedSteps: 4 }, hasWeights: false });
    // That of the evaluation, or on an adapter that is slow enough another by time.
    const from = interrupted!.resumableFrom!;
    expect([1, 2, 3]).toContain(from);
    expect(interrupted!.events.at(-1)).toMatchObject({ message: `The page was left at step 4. Nothing is lost: the run goes on from step ${from}, bit for bit.` });
    await after.session.resumeRun(id);
    expect(await after.ended(id)).toBe('finished');
    const [resumed] = await after.session.storedRuns();
    expect(measured(resumed!)).toEqual(measured(straight!));
    expect(bytesOf(left(), id)).toEqual(bytesOf(disk, id));
    after.close();
  });

  it('go on after they were stopped, to the same bits, and know how long they took', async () => {
    const disk = memoryDirectory();
    const { session, ended, heard, close } = await openPage(disk);
    const { id: straight } = await session.start(CONFIG);
    expect(await ended(straight)).toBe('finished');
    const { id } = await session.start(CONFIG);
    await session.pause();
    await heard((event) => event.type === 'state' && event.run === id && event.state === 'paused');
    await session.stepOnce();
    await heard((event) => event.type === 'steps' && event.run === id);
    await session.stop(true);
    const stopped = (await heard((event) => event.type === 'state' && event.run === id && event.state === 'stopped')) as Extract<LabEvent, { type: 'state' }>;
    const find = async (): Promise<StoredRun> => (await session.storedRuns()).find(({ summary }) => summary.id === id)!;
    const kept = await find();
    expect(kept).toMatchObject({ summary: { state: 'stopped', seconds: stopped.seconds! }, hasWeights: true, resumableFrom: stopped.resumableFrom! });
    expect(stopped.seconds).toBeGreaterThan(0);
    expect((await session.evaluate({ ...PERPLEXITY, columns: [id] })).columns).toHaveLength(1);
    await session.resumeRun(id);
    expect(await ended(id, 'finished')).toBe('finished');
    expect(bytesOf(disk, id)).toEqual(bytesOf(disk, straight));
    const finished = await find();
    expect(finished).not.toHaveProperty('resumableFrom');
    expect(finished.summary.seconds).toBeGreaterThan(kept.summary.seconds!);
    expect((await session.storedRuns()).every(({ summary }) => summary.seconds! > 0)).toBe(true);
    close();
  });

  it('are annotated, hidden, brought back and deleted for good', async () => {
    const disk = memoryDirectory();
    const { session, ended, close } = await openPage(disk);
    const { id } = await session.start({ ...CONFIG, steps: 2 });
    await session.annotateRun(id, { name: 'the first', tags: ['seed 1'], pinned: true });
    expect(await ended(id)).toBe('finished');
    await session.removeRun(id);
    expect(await session.storedRuns()).toEqual([]);
    expect(await session.restoreRun(id)).toMatchObject({ notes: { name: 'the first', tags: ['seed 1'], pinned: true }, hasWeights: true });
    expect(await session.storedRuns()).toHaveLength(1);
    expect((await session.evaluate({ ...PERPLEXITY, columns: ['base', id] })).columns.map(({ score }) => score.value > 1)).toEqual([true, true]);
    await session.removeRun(id);
    await session.purgeRemoved();
    expect([...disk.files.keys()].filter((name) => name.startsWith(id))).toEqual([]);
    await expect(session.restoreRun(id)).rejects.toThrow('not kept on disk');

    const { id: second } = await session.start({ ...CONFIG, steps: 2 });
    await session.stop(false);
    await ended(second);
    const { id: third } = await session.start({ ...CONFIG, steps: 1 });
    await ended(third);
    await session.removeRun(third);
    close();
    const after = await openPage(copyOf(disk));
    expect(await after.session.storedRuns(), 'what was hidden when the page was left goes').toEqual([]);
    after.close();
  });

  it('are offered for their own model only, and their weights come to the device when they are asked for', async () => {
    const disk = memoryDirectory();
    const { session, ended, close } = await openPage(disk);
    const ids: RunId[] = [];
    for (const seed of [1, 2, 3]) {
      const { id } = await session.start({ ...CONFIG, steps: 1, seed, lora: LORA });
      expect(await ended(id)).toBe('finished');
      ids.push(id);
    }
    const perplexities = async (page: Session): Promise<number[]> => (await page.evaluate({ ...PERPLEXITY, columns: ids })).columns.map(({ score }) => score.value);
    const before = await perplexities(session);
    expect(new Set(before).size).toBe(3);
    const { verification } = await session.exportRun(ids[0]!, { kind: 'peft', dtype: 'F32', rank: 2 });
    expect(verification.filter(({ passed }) => !passed)).toEqual([]);
    await session.openFiles(await modelFiles(2), 'f32');
    expect(await session.storedRuns()).toEqual([]);
    await session.openFiles(model, 'f32');
    expect((await session.storedRuns()).map(({ summary }) => summary.id)).toEqual(ids.toReversed());
    expect(await perplexities(session)).toEqual(before);
    const { id } = await session.start({ ...CONFIG, steps: 1, lora: LORA, startFrom: ids[1]! });
    expect(await ended(id)).toBe('finished');
    close();
  });

  it('of a full disk go on, and it is said what is not kept', async () => {
    const disk = memoryDirectory();
    const { session, ended, events, close } = await openPage(disk);
    // Room for the log, not for weights.
    disk.quota = 50_000;
    const { id } = await session.start({ ...CONFIG, steps: 2 });
    expect(await ended(id)).toBe('finished');
    const messages = events.flatMap((event) => (event.type === 'state' && event.message !== undefined ? [event.message] : []));
    expect(messages).toEqual([
      expect.stringMatching(/^From here on this run is not kept on disk: if the page is left, it has to be started again\. .* MB are needed/),
      expect.stringMatching(/^The weights of this run are not kept on disk: export them before you leave the page\. .* MB are needed/),
    ]);
    expect((await session.evaluate({ ...PERPLEXITY, columns: [id] })).columns).toHaveLength(1);
    close();
  });
});

describe('a lost device', () => {
  it('comes back, with the model and what was kept, and the run goes on to the same bits', async () => {
    const disk = memoryDirectory();
    const { gpu, lose } = await losable();
    const { session, ended, heard, close } = await openPage(disk, { gpu });
    const { id: straight } = await session.start(CONFIG);
    expect(await ended(straight)).toBe('finished');
    const { id } = await session.start({ ...CONFIG });
    await session.pause();
    await heard((event) => event.type === 'state' && event.run === id && event.state === 'paused');
    for (const step of [1, 2]) {
      await session.stepOnce();
      await heard((event) => event.type === 'steps' && event.run === id && event.steps.at(-1)!.step === step);
    }
    lose('the driver was reset');
    await session.resume();
    await heard((event) => event.type === 'device' && event.message.includes('the driver was reset'));
    expect(await ended(id)).toBe('failed');
    const lost = (await session.storedRuns()).find(({ summary }) => summary.id === id)!;
    expect(lost.events.at(-1)).toMatchObject({ message: expect.stringMatching(/^The graphics device was lost at step 2\. Nothing is lost: the run goes on from step [12], bit for bit\.$/) as string, resumableFrom: lost.resumableFrom! });
    await session.resumeRun(id);
    expect(await ended(id, 'finished')).toBe('finished');
    expect(bytesOf(disk, id)).toEqual(bytesOf(disk, straight));
    expect((await session.evaluate({ ...PERPLEXITY, columns: [straight, id] })).columns.map(({ score }) => score.value)).toEqual([expect.any(Number), expect.any(Number)]);
    close();
  });
});

describe('the queue', () => {
  it('makes one run after the other, a failed one does not stop it, and goes on after a reload where it was', async () => {
    const disk = memoryDirectory();
    const left = diesAt(disk, AFTER_TRAINING);
    const before = await openPage(disk);
    const bad = { ...CONFIG, batchSize: 3 };
    const { items } = await before.session.enqueue([CONFIG, { ...CONFIG, seed: 2, steps: 1 }, bad, { ...CONFIG, seed: 3, steps: 1 }]);
    const [first, second, third, fourth] = items.map(({ id }) => id) as [string, string, string, string];
    expect((await before.session.reorderQueue([third, second])).items.map(({ id }) => id)).toEqual([first, third, second, fourth]);
    expect((await before.session.dequeue([fourth])).items).toHaveLength(3);
    expect(await before.session.runQueue(true)).toMatchObject({ running: true });
    expect(await before.ended(first)).toBe('finished');
    before.close();

    const after = await openPage(left());
    expect(await after.ended(first)).toBe('finished');
    expect(await after.ended(third)).toBe('failed');
    expect(await after.ended(second)).toBe('finished');
    await after.heard((event) => event.type === 'queue' && event.queue.items.length === 0);
    expect(await after.session.queue()).toEqual({ items: [], running: false });
    const runs = await after.session.storedRuns();
    expect(runs.map(({ summary: { id, state } }) => [id, state])).toEqual([
      [second, 'finished'],
      [third, 'failed'],
      [first, 'finished'],
    ]);
    expect(runs[1]!.events.at(-1)).toMatchObject({ message: '2 micro-batches do not divide a batch of 3 examples.' });
    expect(after.events.some((event) => event.type === 'steps' && event.run === first && event.steps[0]!.step === 1), 'what the checkpoint holds is not made again').toBe(false);
    after.close();
  });
});

describe('a bundle', () => {
  it('takes runs to another browser, where nothing is overwritten and nothing of a damaged one is kept', async () => {
    const here = await openPage(memoryDirectory());
    const { id } = await here.session.start({ ...CONFIG, steps: 2, lora: LORA });
    await here.ended(id);
    await here.session.annotateRun(id, { name: 'mine', tags: ['a'], pinned: true });
    const file = await here.session.exportBundle([id], true);
    const [original] = await here.session.storedRuns();
    const expected = (await here.session.evaluate({ ...PERPLEXITY, columns: [id] })).columns[0]!.score.value;
    const [copy] = await here.session.importBundle(file);
    expect(copy!.summary.id).not.toBe(id);
    here.close();

    const there = await openPage(memoryDirectory());
    const [run] = await there.session.importBundle(file);
    expect(run).toMatchObject({ summary: original!.summary, notes: original!.notes, environment: original!.environment, hasWeights: true });
    expect(measured(run!)).toEqual(measured(original!));
    expect((await there.session.evaluate({ ...PERPLEXITY, columns: [id] })).columns[0]!.score.value).toBe(expected);

    const files = await unzipFiles(file, file.name);
    const damaged = async (path: RegExp, damage: (text: string) => string): Promise<File> => {
      const entries = [...files].map(async ([name, blob]) => [name, path.test(name) ? new Blob([damage(await blob.text())]) : blob] as const);
      return new File([await new Response(zipFiles(new Map(await Promise.all(entries)), 'x')).blob()], 'damaged.zip');
    };
    await expect(there.session.importBundle(await damaged(/run\.json/, (text) => text.replace('"steps": 2', '"steps": "two"')))).rejects.toThrow(/run\.json: summary\.config\.steps is "two", not a number$/);
    await expect(there.session.importBundle(await damaged(/metrics/, (text) => text.replace('"loss"', '"lost"')))).rejects.toThrow(/metrics\.jsonl: line \d: loss is undefined, not a number$/);
    await expect(there.session.importBundle(await damaged(/weights/, () => 'none'))).rejects.toThrow(/weights\.safetensors/);
    await expect(there.session.importBundle(await damaged(/run\.json/, (text) => text.replace(/"model": "\w{64}"/, '"model": "other"')))).rejects.toThrow(/^damaged\.zip holds runs of small-1, and not of small-1 as it is open now/);
    expect(await there.session.storedRuns()).toHaveLength(1);
    there.close();
  });
});
