/** @file What a run measures of its own states and predictions, and what is measured on it on demand: nothing of it changes the run, and all of it outlives the page and goes into a bundle. */
import { beforeAll, describe, expect, it } from 'vitest';
import { unzipFiles, zipFiles } from '../formats/zip.ts';
import { memoryDirectory } from '../storage/testing.ts';
import type { FollowedDrift, LabEvent, NamedFile, ProbeReport, StoredRun } from './protocol.ts';
import { CONFIG, copyOf, LORA, modelFiles, openPage } from './testing.ts';

const FOLLOWED = { ...CONFIG, steps: 5, follow: { every: 2, states: true, outputs: true } };

let files: readonly NamedFile[];
beforeAll(async () => {
  files = await modelFiles(1);
});

const losses = (events: readonly LabEvent[]): number[] => events.flatMap((event) => (event.type === 'steps' ? event.steps.map(({ loss }) => loss) : []));
const drifts = ({ events }: Pick<StoredRun, 'events'>): Omit<FollowedDrift, 'seconds'>[] => events.flatMap((event) => (event.type === 'followed' ? [{ ...event.followed, seconds: 0 }] : []));
const reports = ({ events }: StoredRun): ProbeReport[] => events.flatMap((event) => (event.type === 'report' ? [event.report] : []));

describe('a run that is followed', () => {
  it('takes the steps of one that is not, and says every few steps and at its end how far it has moved', async () => {
    const { session, events, ended, close } = await openPage(memoryDirectory(), { files });
    const { follow: _, ...plain } = FOLLOWED;
    const first = await session.start({ ...plain, lora: LORA });
    await ended(first.id);
    const second = await session.start({ ...FOLLOWED, lora: LORA });
    expect(await ended(second.id)).toBe('finished');
    const of = (id: string): LabEvent[] => events.filter((event) => 'run' in event && event.run === id);
    expect(losses(of(second.id))).toEqual(losses(of(first.id)));
    expect(drifts({ events: of(first.id) })).toEqual([]);
    const found = drifts({ events: of(second.id) });
    expect(found.map(({ step }) => step)).toEqual([2, 4, 5]);
    for (const { states, outputs } of found) {
      expect(states!.map(({ layer }) => layer)).toEqual([0, undefined]);
      expect(outputs!.baseToTuned.mean).toBeGreaterThan(0);
      expect(outputs!.baseToTuned.low).toBeLessThan(outputs!.baseToTuned.mean);
      expect(outputs!.baseToTuned.high).toBeGreaterThan(outputs!.baseToTuned.mean);
    }
    expect(found.at(-1)!.outputs!.baseToTuned.mean).toBeGreaterThan(found[0]!.outputs!.baseToTuned.mean);

    // What it says at its end is what is found on demand, of the same tokens in rows of another length.
    const { states } = (await session.probe({ kind: 'representation', run: second.id, role: 'outOfDomain', items: 0 })) as Extract<ProbeReport, { request: { kind: 'representation' } }>;
    for (const [i, { cka, cosine }] of found.at(-1)!.states!.entries()) {
      expect(cka).toBeCloseTo(states[i]!.cka, 5);
      expect(cosine).toBeCloseTo(states[i]!.cosine, 5);
    }
    close();
  });

  it('is told its cost in memory and time beforehand, and how to do without', async () => {
    const { session, close } = await openPage(memoryDirectory(), { files });
    const { follow: _, ...plain } = FOLLOWED;
    const bytes = async (config: typeof plain): Promise<number> => (await session.estimate(config, false)).bytes.reduce((sum, each) => sum + each.bytes, 0);
    expect(await bytes(FOLLOWED)).toBeGreaterThan(await bytes(plain));
    expect(await session.estimate(FOLLOWED, false)).toMatchObject({ follow: { measurements: 3 } });
    const estimate = await session.estimate(FOLLOWED, true);
    expect(estimate.follow!.seconds).toBeGreaterThan(0);
    expect(estimate.seconds! - estimate.follow!.seconds!).toBeCloseTo((await session.estimate(plain, false)).seconds!, 9);
    expect(await session.estimate(plain, false)).not.toHaveProperty('follow');
    expect(await session.checkFit(FOLLOWED)).toEqual({ fits: true });
    close();
  });

  it('goes on after a reload to the same measurements, and is bundled with them and with what was asked of it', async () => {
    const disk = memoryDirectory();
    const page = await openPage(disk, { files });
    const { id } = await page.session.start(FOLLOWED);
    await page.session.pause();
    await page.heard((event) => event.type === 'state' && event.state === 'paused');
    for (const step of [1, 2, 3]) {
      await page.session.stepOnce();
      while (!disk.files.has(`${id}.${step}.checkpoint`)) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const left = copyOf(disk);
    await page.session.resume();
    await page.ended(id);
    const report = await page.session.probe({ kind: 'output', run: id, role: 'train', items: 2 });
    await page.session.probe({ kind: 'restore', run: id, items: 2 });
    await page.session.probe({ kind: 'fisher', run: id, role: 'train', items: 2, of: 'run', tail: true });
    await page.session.probe({ kind: 'representation', run: id, role: 'train', items: 0 });
    const [whole] = await page.session.storedRuns();
    expect(reports(whole!)).toHaveLength(4);
    const bundle = await page.session.exportBundle([id], false);

    const again = await openPage(copyOf(disk), { files });
    const [reloaded] = await again.session.storedRuns();
    expect(drifts(reloaded!)).toEqual(drifts(whole!));
    expect(reports(reloaded!)).toEqual(reports(whole!));
    expect(reports(reloaded!)[0]).toEqual(report);
    const [copied] = await again.session.importBundle(bundle);
    expect(copied!.summary.id).not.toBe(id);
    expect(copied!.summary.config.follow).toEqual(FOLLOWED.follow);
    expect(drifts(copied!)).toEqual(drifts(whole!));
    expect(reports(copied!).map(({ request, ...rest }) => ({ ...rest, request: { ...request, run: id } }))).toEqual(reports(whole!));
    for (const { request } of reports(copied!)) expect(request.run).toBe(copied!.summary.id);

    const damaged = new Map(await unzipFiles(bundle, 'bundle.zip'));
    const path = [...damaged.keys()].find((each) => each.endsWith('measurements.json'))!;
    const text = await damaged.get(path)!.text();
    for (const [from, to, message] of [['"block"', '"magic"', /rows\[\d\]\.weights is "magic"/], ['"kind": "output"', '"kind": "guess"', /request\.kind is "guess", which this version does not measure/], ['"seconds": ', '"seconds": "" + ', /measurements\.json: not valid JSON/], ['"role": "train"', '"role": "test"', /request\.role is "test"/]] as const) {
      damaged.set(path, new Blob([text.replace(from, to)]));
      const file = new File([await new Response(zipFiles(damaged, 'bundle')).blob()], 'bundle.zip');
      await expect(again.session.importBundle(file)).rejects.toThrow(message);
    }
    expect(await again.session.storedRuns()).toHaveLength(2);

    const resumed = await openPage(left, { files });
    await resumed.session.resumeRun(id);
    expect(await resumed.ended(id, 'finished')).toBe('finished');
    expect(drifts((await resumed.session.storedRuns())[0]!)).toEqual(drifts(whole!));
    for (const { close } of [page, again, resumed]) close();
  });
});
