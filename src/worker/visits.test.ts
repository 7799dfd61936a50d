/** @file From one visit to the next: model, data and queue come back by themselves; files go when nobody needs them; and what is said where they are not kept. */
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { MemoryDirectory } from '../storage/testing.ts';
import { memoryDirectory } from '../storage/testing.ts';
import type { DatasetRole, ImportResult, LabEvent, NamedFile, QueueState } from './protocol.ts';
import type { Session } from './session.ts';
import { CONFIG, copyOf, LORA, modelFiles, openPage, PERPLEXITY } from './testing.ts';

const SHORT = { ...CONFIG, steps: 1 };

let files: readonly NamedFile[];
beforeAll(async () => {
  files = await modelFiles(1);
});

/** Plain text under a name; the same name has the same contents. */
const textFile = (name: string): File => new File([['one', 'two', 'three'].map((word) => JSON.stringify({ text: `${name} has a row, and this is the ${word} of them.` })).join('\n')], name);

async function drop(session: Session, role: DatasetRole, name: string): Promise<Extract<ImportResult, { dataset: unknown }>> {
  const result = await session.importFile(role, textFile(name), []);
  if ('problem' in result) throw new Error(result.problem.what);
  return result;
}

const namesOfKept = async (session: Session): Promise<string[]> => (await session.keptFiles()).map(({ name }) => name);

/** The files of the model are written while the page goes on. */
const modelIsKept = (session: Session): Promise<void> => vi.waitFor(async () => expect(await namesOfKept(session)).toContain('small-1'), { timeout: 60_000 });

const isEmpty = (event: LabEvent): boolean => event.type === 'queue' && event.queue.items.length === 0;

/** What a tab leaves that dies now. */
const leave = (disk: MemoryDirectory, kept: MemoryDirectory): { readonly disk: MemoryDirectory; readonly kept: MemoryDirectory } => ({ disk: copyOf(disk), kept: copyOf(kept) });

describe('a reload', () => {
  it('brings back model, data and columns, and the queue goes on by itself', async () => {
    const [disk, kept] = [memoryDirectory(), memoryDirectory()];
    const before = await openPage(disk, { files, kept });
    const { session } = before;
    await drop(session, 'train', 'mine.jsonl');
    await drop(session, 'outOfDomain', 'elsewhere.jsonl');
    await modelIsKept(session);
    await session.enqueue([SHORT, { ...SHORT, seed: 2 }]);
    await session.runQueue(true);
    const left = leave(disk, kept);
    const datasets = await session.setMapping('train', { completion: 'text' }, CONFIG.maxLength);
    await before.heard(isEmpty);
    before.close();

    const after = await openPage(left.disk, { kept: left.kept });
    expect(after.opened).toMatchObject({ model: { source: 'files', name: 'small-1' }, notice: {} });
    expect(after.opened.datasets.map(({ name, origin }) => [name, origin])).toEqual([['mine.jsonl', 'file'], ['demo-heldout.jsonl', 'demo'], ['elsewhere.jsonl', 'file']]);
    expect('datasets' in datasets && datasets.datasets[0]!.mapping).toEqual(after.opened.datasets[0]!.mapping);
    await after.heard(isEmpty);
    const runs = await after.session.storedRuns();
    expect(runs.map(({ summary }) => [summary.config.seed, summary.state, summary.dataset])).toEqual([[2, 'finished', 'mine.jsonl'], [1, 'finished', 'mine.jsonl']]);
    after.close();
  });

  it('brings back an adapter that was dropped, with its weights', async () => {
    const [disk, kept] = [memoryDirectory(), memoryDirectory()];
    const before = await openPage(disk, { files, kept });
    await modelIsKept(before.session);
    const { id } = await before.session.start({ ...SHORT, lora: LORA });
    await before.ended(id);
    const { file } = await before.session.exportRun(id, { kind: 'peft', dtype: 'F32', rank: 2 });
    const dropped = (await before.session.openFiles([{ path: file!.name, file: file! }], 'f32')).run!;
    const perplexity = async (session: Session): Promise<number> => (await session.evaluate({ ...PERPLEXITY, columns: [dropped.id] })).columns[0]!.score.value;
    const expected = await perplexity(before.session);
    await before.session.removeRun(id);
    const left = leave(disk, kept);
    before.close();

    const after = await openPage(left.disk, { kept: left.kept });
    const [run] = await after.session.storedRuns();
    expect(run).toMatchObject({ summary: { id: dropped.id, state: 'finished', importedFrom: dropped.importedFrom! }, hasWeights: true });
    expect(await perplexity(after.session)).toBe(expected);
    after.close();
  });

  it('opens the built-in model and the demo data where nothing was open', async () => {
    const { opened, close } = await openPage(memoryDirectory());
    expect(opened).toMatchObject({ model: { source: 'built-in' }, notice: {} });
    close();
  });

  it('says what is not there any more, and the queue waits for it', async () => {
    const [disk, kept] = [memoryDirectory(), memoryDirectory()];
    const before = await openPage(disk, { files, kept });
    await drop(before.session, 'train', 'mine.jsonl');
    await modelIsKept(before.session);
    await before.session.enqueue([SHORT]);
    const mine = (await before.session.keptFiles()).find(({ name }) => name === 'mine.jsonl')!;
    expect(mine).toMatchObject({ kind: 'data', queued: 1, runs: 0, open: true });
    expect((await before.session.forgetFile(mine.key)).map(({ name }) => name)).toEqual(['small-1']);
    const left = leave(disk, kept);
    before.close();

    const after = await openPage(left.disk, { kept: left.kept });
    const { session } = after;
    expect(after.opened).toMatchObject({ model: { name: 'small-1' }, notice: { data: 'mine.jsonl was loaded when the page was left, and is not kept in this browser: drop it again. The demo data is in its place.' } });
    const why = 'The run was begun on mine.jsonl as training data, with other columns or contents than demo-train.jsonl has, which is loaded now. Load mine.jsonl again as it was, then go on.';
    await expect(session.runQueue(true)).rejects.toThrow(why);
    expect(await session.queue()).toMatchObject({ items: [{ state: 'waiting', dataset: 'mine.jsonl' }], running: false });
    await drop(session, 'train', 'mine.jsonl');
    await session.runQueue(true);
    await after.heard(isEmpty);
    expect((await session.storedRuns())[0]?.summary).toMatchObject({ state: 'finished', dataset: 'mine.jsonl' });
    after.close();
  });

  it('opens the built-in model in place of one that is not kept, or that twice closed the tab', async () => {
    const [disk, kept] = [memoryDirectory(), memoryDirectory()];
    const first = await openPage(disk, { files, kept });
    await modelIsKept(first.session);
    first.close();
    const index = (): Record<string, unknown> & { tries: number } => {
      const read = ['index.0', 'index.1'].flatMap((name) => (kept.files.has(name) ? [JSON.parse(new TextDecoder().decode(kept.files.get(name))) as { generation: number; index: ReturnType<typeof index> }] : []));
      return read.toSorted((a, b) => b.generation - a.generation)[0]!.index;
    };
    const changed = (change: object): MemoryDirectory => {
      const copy = copyOf(kept);
      copy.files.set('index.0', new TextEncoder().encode(JSON.stringify({ generation: 1000, index: { ...index(), ...change } })));
      return copy;
    };
    const tired = await openPage(copyOf(disk), { kept: changed({ tries: 2 }) });
    expect(tired.opened).toMatchObject({ model: { source: 'built-in' }, notice: { model: 'The page was left 2 times while small-1 was being opened again, so it was not tried once more.' } });
    tired.close();
    const gone = await openPage(copyOf(disk), { kept: changed({ models: [] }) });
    expect(gone.opened).toMatchObject({ model: { source: 'built-in' }, notice: { model: 'small-1 was open when the page was left, and is not kept in this browser: drop it again. Its runs and its queue are kept.' } });
    gone.close();
  });
});

describe('the queue', () => {
  it('makes a run on the data it was asked for on, whatever is loaded when its turn comes', async () => {
    const { session, ended, close } = await openPage(memoryDirectory(), { files });
    await session.enqueue([SHORT]);
    await drop(session, 'train', 'mine.jsonl');
    await session.enqueue([SHORT]);
    await drop(session, 'train', 'other.jsonl');
    const held: QueueState = await session.queue();
    expect(held.items.map(({ dataset }) => dataset)).toEqual(['demo-train.jsonl', 'mine.jsonl']);
    await session.runQueue(true);
    for (const { id } of held.items) await ended(id);
    expect((await session.storedRuns()).map(({ summary }) => [summary.dataset, summary.state])).toEqual([['mine.jsonl', 'finished'], ['demo-train.jsonl', 'finished']]);
    expect((await session.preview('train', 1, 1, 64))[0]!.tokens.map(({ text }) => text).join('')).toContain('other');
    close();
  });
});

describe('kept files', () => {
  it('go when neither what is loaded nor a run of the queue nor a kept run needs them; a run that was deleted a moment ago still does', async () => {
    const { session, ended, close } = await openPage(memoryDirectory(), { files });
    await modelIsKept(session);
    await drop(session, 'train', 'one.jsonl');
    await drop(session, 'train', 'two.jsonl');
    expect(await namesOfKept(session)).toEqual(['two.jsonl', 'small-1']);
    const { id } = await session.start(SHORT);
    await ended(id);
    const { items } = await session.enqueue([SHORT]);
    await session.useDemoData();
    expect((await session.keptFiles())[0]).toMatchObject({ name: 'two.jsonl', runs: 1, queued: 1, open: false });
    await session.dequeue(items.map((item) => item.id));
    await session.removeRun(id);
    await session.useDemoData();
    expect(await namesOfKept(session)).toContain('two.jsonl');
    await session.restoreRun(id);
    await session.purgeRemoved();
    expect(await namesOfKept(session)).toContain('two.jsonl');
    await session.removeRun(id);
    await session.purgeRemoved();
    expect(await namesOfKept(session)).toEqual(['small-1']);
    close();
  });

  it('that find no room are named, and the run starts', async () => {
    const kept = memoryDirectory(1000);
    const { session, opened, ended, close } = await openPage(memoryDirectory(), { files, kept });
    expect(opened.notice?.model).toMatch(/^small-1 is not kept in this browser: it has [\d.]+ MB, and the browser gives this page 0\.0 MB more, of which runs need a part\. After a reload small-1 has to be dropped again before runs on it go on\.$/);
    kept.quota = 300;
    const { dataset } = await drop(session, 'train', 'mine.jsonl');
    expect(dataset.warnings).toEqual([expect.stringMatching(/^mine\.jsonl is not kept in this browser: it has 0\.0 MB, and .* After a reload mine\.jsonl has to be dropped again before runs on it go on\.$/)]);
    const { id } = await session.start(SHORT);
    expect(await ended(id)).toBe('finished');
    close();
  });

  it('are those of one tab: another says why it keeps nothing', async () => {
    const [disk, kept] = [memoryDirectory(), memoryDirectory()];
    const one = await openPage(disk, { files, kept });
    await drop(one.session, 'train', 'mine.jsonl');
    const other = await openPage(disk, { files, kept });
    const { dataset } = await drop(other.session, 'train', 'theirs.jsonl');
    expect(dataset.warnings).toEqual(['theirs.jsonl is not kept in this browser. Another tab of this page keeps the runs; close it to have them here. After a reload theirs.jsonl has to be dropped again before runs on it go on.']);
    expect(await namesOfKept(other.session)).toEqual([]);
    expect(await namesOfKept(one.session)).toContain('mine.jsonl');
    one.close();
    other.close();
  });

  it('that are open from here are not cut off', async () => {
    const [disk, kept] = [memoryDirectory(), memoryDirectory()];
    const before = await openPage(disk, { files, kept });
    await drop(before.session, 'train', 'mine.jsonl');
    await modelIsKept(before.session);
    before.close();
    const { session, close } = await openPage(copyOf(disk), { kept: copyOf(kept) });
    const mine = (await session.keptFiles()).find(({ name }) => name === 'mine.jsonl')!;
    await expect(session.forgetFile(mine.key)).rejects.toThrow('mine.jsonl is open from here: it would be cut off. Load other data first, then delete it.');
    await session.useDemoData();
    expect(await namesOfKept(session)).toEqual(['small-1']);
    close();
  });
});
