/** @file Measurements on demand against a scripted engine, and the sentences and costs that the page makes of them. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ProbeKind, ProbeRequest } from '../../../worker/protocol.ts';
import { madeUpRun } from '../../charts/testing.ts';
import { plainText } from '../../charts/Phrases.tsx';
import { connectLab } from '../../labClient.ts';
import { startRun } from '../../run/control.ts';
import { runSpeed, timedHere, type LabRun } from '../../runs.ts';
import { editConfig, initialState, selectRun, useLab } from '../../store.ts';
import { fakeLab } from '../../testing.ts';
import { alignmentPaths, bestMatches } from '../alignment.ts';
import { fisherEnd, fisherRows } from './fisherCells.ts';
import { fisherFinding, formatNats, formatTimes, outputFinding, probeInfos, ratioOf, restoreFinding, statesFinding } from './findings.ts';
import { costOf, costText, obstacle, requestOf, takenText } from './probes.ts';
import { comparable, reportsOf, withReport, type ReportOf } from './reports.ts';
import { cancelMeasurement, editProbe, measure, readDetails } from './session.ts';
import { fakeProbe } from './testing.ts';

const state = useLab.getState;
const until = (condition: () => boolean): Promise<void> => vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 10 });
const made = { drift: { step: 1, matrices: madeUpRun().drifts.at(-1)!.matrices }, layers: 4 };

const reported = <Kind extends ProbeKind>(request: Extract<ProbeRequest, { kind: Kind }>): ReportOf<Kind> => fakeProbe(request, made) as ReportOf<Kind>;
const fisher = (change: Partial<Extract<ProbeRequest, { kind: 'fisher' }>> = {}): ReportOf<'fisher'> => reported({ kind: 'fisher', run: 'a', role: 'train', items: 64, of: 'base', tail: true, ...change });
const restored = reported({ kind: 'restore', run: 'a', items: 100 });

beforeEach(() => useLab.setState(initialState, true));

async function trained(stepMs: number): Promise<string> {
  await connectLab(fakeLab({ stepMs }));
  editConfig({ steps: 2, warmupSteps: 0, evaluateEvery: 2, driftEvery: 2 });
  await startRun();
  await until(() => selectRun(state())?.state === 'finished');
  return selectRun(state())!.id;
}

describe('a measurement', () => {
  it('tells its progress and is kept, one for each question', async () => {
    const run = await trained(40);
    const request = requestOf('fisher', run, state().probes, 'base');
    expect(request).toEqual({ kind: 'fisher', run, role: 'train', items: 64, of: 'base', tail: true });
    const done = measure(request);
    await until(() => state().probes.going?.progress?.phase === 'probe');
    await measure(request);
    await done;
    await measure(request);
    await measure(requestOf('fisher', run, state().probes, 'run'));
    expect(state().probes).toMatchObject({ going: undefined, problem: undefined });
    expect(reportsOf(state().runs).map(({ request: { run: own }, step }) => [own, step])).toEqual([[run, 300], [run, 0]]);
  });

  it('ends when it is cancelled, without a report and without a complaint', async () => {
    const run = await trained(40);
    const done = measure(requestOf('output', run, state().probes, 'run'));
    await until(() => state().probes.going?.progress !== undefined);
    await cancelMeasurement();
    await done;
    expect(state().probes).toMatchObject({ going: undefined, problem: undefined });
    expect(reportsOf(state().runs)).toEqual([]);
  });

  it('of one matrix says what is wrong, and keeps what it read', async () => {
    const run = await trained(1);
    await readDetails([run], 'model.layers.1.q_proj.weight');
    expect(state().probes).toMatchObject({ followsSelection: true, readingDetail: false, detailProblem: undefined });
    await readDetails([run], 'nothing');
    expect(state().probes.details.map(({ detail }) => detail.matrix.name)).toEqual(['model.layers.1.q_proj.weight']);
    expect(state().probes.detailProblem).toBe('nothing has no singular basis.');
  });
});

describe('costs', () => {
  const run = madeUpRun();
  const train = { rows: 2000, tokens: 88_000 };
  const datasets = { train, heldOut: { ...train, rows: 50 }, outOfDomain: train } as unknown as Parameters<typeof costOf>[2];
  const request = { kind: 'fisher', run: run.id, role: 'train', items: 64, of: 'base', tail: false } as const;

  it('come from the pace of training until one was measured, and from that then', () => {
    const { examples, tokens, seconds } = costOf(request, run, datasets, [run]);
    expect([examples, tokens]).toEqual([64, 2816]);
    expect(seconds).toBeGreaterThan(0);
    expect(costOf({ ...request, tail: true }, run, datasets, [run]).seconds).toBeGreaterThan(seconds!);
    expect(costOf({ ...request, items: 32 }, run, datasets, [{ ...run, reports: [fisher({ tail: false })] }]).seconds).toBe(1);
    expect(costOf({ ...request, items: 32 }, run, datasets, [{ ...run, reports: [fisher()] }]).seconds).not.toBe(1);
  });

  it('take no pace from a run that another machine has timed', () => {
    const own = madeUpRun({ method: 'sft' });
    const evaluated = { ...run.evaluations.at(-1)!, seconds: 8 };
    const brought = { ...run, evaluations: [evaluated], reports: [fisher({ tail: false }), { ...restored, seconds: 2 }] };
    const environment = (adapter: string) => ({ environment: { adapter, browser: 'A browser 1', dataHashes: {} } });
    const kept = { [own.id]: environment('Here'), [brought.id]: environment('Elsewhere') };
    const costs = (adapter: string, ...runs: readonly LabRun[]): readonly (number | undefined)[] =>
      [request, { kind: 'restore', run: run.id, items: 50 } as const].map((asked) => costOf(asked, brought, datasets, timedHere(runs, kept, adapter)).seconds);
    expect(costs('Elsewhere', brought)).toEqual([2, 2]);
    expect(costs('Here', brought)).toEqual([undefined, undefined]);
    expect(costs('Here', own, brought)).toEqual([2816 / runSpeed(own)!, undefined]);
    expect(costs('Here', { ...own, evaluations: [evaluated] }, { ...brought, recorded: true })[1]).toBeCloseTo((5 * 100 * 8) / (200 + 644), 12);
  });

  it('know the limits of the data and of the probe set, and what they do not know', () => {
    expect(costOf({ kind: 'representation', run: run.id, role: 'train', items: 1000 }, run, datasets, []).tokens).toBe(2048);
    expect(costOf({ kind: 'restore', run: run.id, items: 100 }, run, datasets, [])).toMatchObject({ examples: 150, tokens: undefined });
    expect(costText(request, { examples: 64, tokens: 2816, seconds: 4 })).toBe('64 examples, 2,816 tokens forward and backward, one example at a time, about 4 s.');
    expect(costText({ kind: 'restore', run: 'a', items: 1 }, { examples: 1, tokens: undefined, seconds: undefined })).toBe('1 example, each answered by 5 sets of weights, one at a time, time not known before the first one.');
    expect(takenText(fisher())).toBe('64 examples of demo.jsonl, base model, 2 s');
  });

  it('are not asked of runs without weights', () => {
    expect(obstacle({ ...run, recorded: true })).toMatch(/recorded elsewhere/);
    expect(obstacle({ ...run, recorded: false, state: 'finished' })).toBeUndefined();
    expect(obstacle({ ...run, recorded: false, withoutWeights: true })).toMatch(/Only the log/);
  });
});

describe('reports', () => {
  it('stand side by side when they asked the same, in the order of the runs', () => {
    const all = [fisher({ run: 'b', of: 'run' }), fisher({ run: 'a', of: 'run' }), fisher({ run: 'a' }), fisher({ run: 'a', items: 8 })];
    expect(comparable('fisher', all, ['a', 'b']).map(({ request }) => [request.run, request.of])).toEqual([['a', 'base'], ['a', 'run'], ['b', 'run']]);
    expect(comparable('fisher', all, ['c'])).toEqual([]);
    expect(withReport(all, fisher({ run: 'a', of: 'run' }))).toHaveLength(4);
  });

  it('are said in words no stronger than their intervals', () => {
    expect(plainText(fisherFinding('Base model', fisher()))).toBe('Base model: the top block holds 4.0× its share by chance (3.6× to 4.4×); a random block 1.0×, the tail block 0.30×.');
    const unclear = fisher();
    const like = { ...unclear, fisher: { ...unclear.fisher, whole: { ...unclear.fisher.whole, top: { share: 0.04, ratio: 1, standardError: 0.01 } } } };
    expect(plainText(fisherFinding('A', like))).toContain('The interval holds 1');
    expect(ratioOf({ share: 0.1, ratio: 2 })).toEqual({ mean: 2, low: 2, high: 2 });
    expect(plainText(restoreFinding('RPSFT', restored))).toBe('RPSFT: putting the block back raises out-of-domain by 5.0 points (3.0–7.0) and lowers in-domain by 6.0 points (−9.0 to −3.0).');
    const open = restored.rows.map((row) => (row.weights === 'block' ? { ...row, inDomain: { ...row.inDomain, change: { mean: 0.01, low: -0.02, high: 0.04 } } } : row));
    expect(plainText(restoreFinding('RPSFT', { ...restored, rows: open }))).toContain('leaves open whether in-domain changes (+1.0 points, −2.0 to 4.0)');
    const same = restored.rows.map((row) => ({ ...row, outOfDomain: { ...row.outOfDomain, change: { mean: 0, low: 0, high: 0 } } }));
    expect(plainText(restoreFinding('RPSFT', { ...restored, rows: same }))).toContain('putting the block back changes no out-of-domain answer and lowers');
    expect(plainText(statesFinding('SFT', reported({ kind: 'representation', run: 'a', role: 'train', items: 4 })))).toBe('SFT: CKA is 0.92 before the head.');
    expect(plainText(outputFinding('SFT', reported({ kind: 'output', run: 'a', role: 'train', items: 4 })))).toBe('SFT: 0.240 nats a token from the base model (0.210 to 0.270).');
  });

  it('each say what they mean and what they do not', () => {
    for (const { means, meansNot } of Object.values(probeInfos)) {
      expect(means).toMatch(/\.$/);
      expect(meansNot).toMatch(/not .*\.$/);
    }
  });

  it('write their numbers', () => {
    expect([0.3, 0.999, 4.12, 12.4].map(formatTimes)).toEqual(['0.30×', '1.0×', '4.1×', '12×']);
    expect([0.24, 0, 0.00034].map(formatNats)).toEqual(['0.240', '0.000', '3.40e-4']);
  });
});

describe('an alignment', () => {
  it('is one path for each shade, and pooled where there are many vectors', () => {
    expect(alignmentPaths([1, 0, 0.5, 1], 2)).toEqual({ size: 2, paths: [{ opacity: 0.5, d: 'M0 1h1v1h-1z' }, { opacity: 1, d: 'M0 0h1v1h-1zM1 1h1v1h-1z' }] });
    const identity = Float32Array.from({ length: 130 * 130 }, (_, at) => (at % 131 === 0 ? 1 : 0));
    const { size, paths } = alignmentPaths(identity, 130);
    expect(size).toBe(44);
    expect(paths.map(({ d }) => d.split('M').length - 1)).toEqual([44]);
  });

  it('lists what each vector has become', () => {
    expect(bestMatches([0.2, 0.9, 0.8, 0.1], 2).map(({ index, own, best }) => [index, own, best])).toEqual([[1, 0.2, 0.9], [0, 0.1, 0.8]]);
  });
});

describe('the Fisher map', () => {
  it('has ink from chance on, and an end that holds every matrix', () => {
    const { matrices } = fisher().fisher;
    const end = fisherEnd(matrices);
    expect(end).toBe(6);
    const cells = fisherRows(matrices, end).flatMap((row) => row.cells);
    expect(cells).toHaveLength(29);
    const most = cells.find(({ key }) => key === matrices[4]!.name);
    expect(most).toMatchObject({ text: '6.0×', position: 1 });
    expect(most!.label).toMatch(/: 6\.0 times chance$/);
    expect(fisherRows([{ ...matrices[0]!, top: { share: 0.01, ratio: 1 } }], end)[0]!.cells[0]!.position).toBe(0);
  });
});

describe('the form', () => {
  it('changes one kind and leaves the others', () => {
    editProbe('output', { items: 7 });
    expect(state().probes.forms.output).toEqual({ role: 'outOfDomain', items: 7 });
    expect(state().probes.forms.fisher.items).toBe(64);
  });
});
