/** @file Bases that outlive the visit: a model is decomposed once, and what is kept of it is used only where it holds. And a decomposition that is stopped. */
import { beforeAll, describe, expect, it } from 'vitest';
import { testAdapters } from '../gpu/testing.ts';
import type { MemoryDirectory } from '../storage/testing.ts';
import { memoryDirectory } from '../storage/testing.ts';
import type { DecompositionSummary, KeptBases, LabEvent, NamedFile, PhaseId, RunConfig, RunId } from './protocol.ts';
import type { Session } from './session.ts';
import { CONFIG, copyOf, LORA, modelFiles, openPage } from './testing.ts';

/** A run that needs bases, and is over soon. */
const MEASURED: RunConfig = { ...CONFIG, method: 'rpsft', steps: 1, driftEvery: 1 };
/** All matrices of the small model. */
const MATRICES = 8;

let adapters: GPU;
let files: readonly NamedFile[];
beforeAll(async () => {
  adapters = await testAdapters();
  files = await modelFiles(1);
});

type Page = Awaited<ReturnType<typeof openPage>>;

const visit = (bases: MemoryDirectory, options: { readonly files?: readonly NamedFile[]; readonly gpu?: GPU } = {}): Promise<Page> => openPage(memoryDirectory(), { gpu: adapters, files, bases, ...options });

/** What a run went through and what it said of its bases. */
async function made({ session, ended, events }: Page, config: RunConfig): Promise<{ readonly phases: ReadonlySet<PhaseId>; readonly decomposition: DecompositionSummary; readonly drift: unknown }> {
  const { id } = await session.start(config);
  expect(await ended(id)).toBe('finished');
  const own = events.filter((event) => 'run' in event && event.run === id);
  const decomposition = own.find((event) => event.type === 'decomposed')!.decomposition;
  return { phases: new Set(own.flatMap((event) => (event.type === 'phase' ? [event.phase] : []))), decomposition, drift: own.findLast((event) => event.type === 'drift')?.drift };
}

/** They are written while the run goes on, and are listed when they are whole. */
async function kept(session: Session, count = 1): Promise<readonly KeptBases[]> {
  for (;;) {
    const bases = await session.keptBases();
    if (bases.length === count) return bases;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A disk with the bases of the small model. */
async function decomposed(): Promise<MemoryDirectory> {
  const disk = memoryDirectory();
  const page = await visit(disk);
  await made(page, MEASURED);
  await kept(page.session);
  page.close();
  return copyOf(disk);
}

const fileOf = (disk: MemoryDirectory): string => [...disk.files.keys()].find((name) => /^[0-9a-f]{64}$/.test(name))!;

describe('kept bases', () => {
  it('spare the second visit the decomposition, and give the same run', async () => {
    const disk = memoryDirectory();
    const before = await visit(disk);
    const first = await made(before, MEASURED);
    expect(first.phases).toContain('decompose');
    expect(first.decomposition).toMatchObject({ matrices: MATRICES, from: 'decomposed', notes: [] });
    expect(await kept(before.session)).toMatchObject([{ name: 'small-1', precision: 'f32', rankFraction: 0.25 }]);
    const again = await made(before, MEASURED);
    expect([...again.phases].filter((phase) => phase === 'decompose' || phase === 'read-bases'), 'they are on the device still').toEqual([]);
    expect(again.decomposition).toMatchObject({ matrices: MATRICES, from: 'device' });
    before.close();

    const after = await visit(copyOf(disk));
    const second = await made(after, MEASURED);
    expect(second.phases).toContain('read-bases');
    expect(second.phases).not.toContain('decompose');
    expect(second.decomposition).toMatchObject({ matrices: MATRICES, from: 'kept', notes: [] });
    expect(second.drift).toEqual(first.drift);
    const last = after.events.findLast((event) => event.type === 'phase' && event.phase === 'read-bases');
    expect(last).toMatchObject({ done: MATRICES, total: MATRICES });
    after.close();
  });

  it('are in the record of the run after a reload', async () => {
    const runs = memoryDirectory();
    const page = await openPage(runs, { gpu: adapters, files });
    const { decomposition } = await made(page, MEASURED);
    page.close();
    const later = await openPage(copyOf(runs), { gpu: adapters, files });
    const [stored] = await later.session.storedRuns();
    expect(stored!.events.find((event) => event.type === 'decomposed')).toMatchObject({ decomposition });
    later.close();
  });

  it('of all matrices serve a run with adapters on some; other k, precision or weights have their own', async () => {
    const page = await visit(await decomposed());
    const some = await made(page, { ...MEASURED, lora: LORA });
    expect(some.decomposition).toMatchObject({ matrices: LORA.targets.length, from: 'kept' });
    expect((await made(page, { ...MEASURED, rankFraction: 0.5 })).phases).toContain('decompose');
    expect((await kept(page.session, 2)).map(({ rankFraction }) => rankFraction)).toEqual([0.5, 0.25]);
    await page.session.setPrecision('bf16');
    expect((await made(page, { ...MEASURED, lora: LORA })).phases).toContain('decompose');
    expect((await kept(page.session, 3))[0]).toMatchObject({ precision: 'bf16', matrices: 2 });
    await page.session.openFiles(await modelFiles(2), 'f32');
    expect((await made(page, MEASURED)).phases).toContain('decompose');
    expect((await kept(page.session, 4))[0]).toMatchObject({ name: 'small-2' });
    page.close();
  });

  it.each([
    { how: 'cut off', damage: (bytes: Uint8Array<ArrayBuffer>) => bytes.slice(0, -9), why: /it cannot be read/ },
    { how: 'with one bit turned', damage: (bytes: Uint8Array<ArrayBuffer>) => bytes.with(bytes.length - 9, bytes.at(-9)! ^ 1), why: /its bytes are not those that were written/ },
  ])('that are $how are deleted and made anew, and that is said', async ({ damage, why }) => {
    const disk = await decomposed();
    const name = fileOf(disk);
    disk.files.set(name, damage(disk.files.get(name)!));
    const page = await visit(disk);
    const { phases, decomposition } = await made(page, MEASURED);
    expect(phases).toContain('decompose');
    expect(decomposition).toMatchObject({ from: 'decomposed', notes: [expect.stringMatching(why) as string] });
    expect(decomposition.notes[0]).toMatch(/^The bases kept in this browser were deleted and not used: .*\. The matrices were decomposed anew\.$/);
    await kept(page.session);
    page.close();
    const later = await visit(copyOf(disk));
    expect((await made(later, MEASURED)).decomposition).toMatchObject({ from: 'kept', notes: [] });
    later.close();
  });

  it('are deleted when a person says so, also while they are read, and by what needs the room', async () => {
    const disk = await decomposed();
    const page = await visit(disk);
    const [bases] = await page.session.keptBases();
    const { id } = await page.session.start(MEASURED);
    await page.heard((event) => event.type === 'phase' && event.phase === 'read-bases');
    expect(await page.session.forgetBases(bases!.key)).toEqual([]);
    expect(await page.ended(id)).toBe('finished');
    expect(disk.files.size).toBe(0);
    page.close();

    const full = await decomposed();
    // Less than a copy of the small model takes, beside what is always left free.
    full.quota = [...full.files.values()].reduce((sum, { length }) => sum + length, 2 ** 24 + 150_000);
    const later = await visit(full);
    const { id: plain } = await later.session.start({ ...CONFIG, steps: 1 });
    expect(await later.ended(plain)).toBe('finished');
    expect(await later.session.keptBases(), 'the model and the weights of the run came first').toEqual([]);
    later.close();
  });

  it('find no room, and nobody minds', async () => {
    const page = await visit(memoryDirectory(1000));
    expect((await made(page, MEASURED)).decomposition).toMatchObject({ from: 'decomposed', notes: [] });
    expect(await page.session.keptBases()).toEqual([]);
    page.close();
  });
});

describe('a decomposition that is stopped', () => {
  it.each(['decompose', 'read-bases'] as const)('ends within a matrix, leaves nothing on the device, and the next run begins anew (%s)', async (phase) => {
    const counted = countingBuffers(adapters);
    const page = await visit(phase === 'decompose' ? memoryDirectory() : await decomposed(), { gpu: counted.gpu });
    const before = counted.live();
    const isIt = (run: RunId) => (event: LabEvent): event is Extract<LabEvent, { type: 'phase' }> => event.type === 'phase' && event.run === run && event.phase === phase;
    counted.whenMade(/^left basis$/, () => void page.session.stop(false));
    const { id } = await page.session.start(MEASURED);
    expect(await page.ended(id)).toBe('stopped');
    expect(page.events.filter(isIt(id)).length).toBeLessThan(MATRICES / 2);
    expect(counted.live()).toEqual(before);
    const whole = await made(page, MEASURED);
    expect(whole.phases).toContain(phase);
    page.close();
  });
});

/** Adapters whose devices count the buffers they hold, by label. */
function countingBuffers(real: GPU): { readonly gpu: GPU; readonly live: () => Record<string, number>; readonly whenMade: (label: RegExp, act: () => void) => void } {
  const held = new Map<GPUBuffer, string>();
  let awaited: { readonly label: RegExp; readonly act: () => void } | undefined;
  const requestAdapter = async (): Promise<GPUAdapter | null> => {
    const adapter = (await real.requestAdapter())!;
    const requestDevice = async (description?: GPUDeviceDescriptor): Promise<GPUDevice> => {
      const device = await adapter.requestDevice(description);
      const createBuffer = device.createBuffer.bind(device);
      device.createBuffer = (descriptor) => {
        const buffer = createBuffer(descriptor);
        const destroy = buffer.destroy.bind(buffer);
        held.set(buffer, descriptor.label ?? '');
        buffer.destroy = () => {
          held.delete(buffer);
          return destroy();
        };
        if (awaited?.label.test(descriptor.label ?? '')) {
          awaited.act();
          awaited = undefined;
        }
        return buffer;
      };
      return device;
    };
    return Object.create(adapter, { requestDevice: { value: requestDevice }, limits: { value: adapter.limits }, features: { value: adapter.features }, info: { value: adapter.info } }) as GPUAdapter;
  };
  const live = (): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const label of held.values()) counts[label] = (counts[label] ?? 0) + 1;
    return counts;
  };
  return { gpu: { requestAdapter } as unknown as GPU, live, whenMade: (label, act) => void (awaited = { label, act }) };
}
