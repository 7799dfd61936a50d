/** @file Models against a scripted engine: from the Hub and from files, cancelled and refused, and what becomes of runs; runs that do not fit; exports. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { LabApi, NamedFile } from '../../worker/protocol.ts';
import { runNames } from '../charts/names.ts';
import { cancelExport, writeExport } from '../export/write.ts';
import { connectLab } from '../labClient.ts';
import { continueRun, removeRun, startObstacle, startRun } from '../run/control.ts';
import { applyWay } from '../run/fit.ts';
import { wayDetail } from '../run/Misfit.tsx';
import { chooseMethod, editConfig, editLora, initialState, selectMisfit, selectRun, selectWelcome, trainLora, useLab } from '../store.ts';
import { fakeLab, type FakeOptions } from '../testing.ts';
import { demo } from '../data/testing.ts';
import { cancelOpening, editHub, forgetBases, forgetFile, lookUp, openFiles, openModel, refreshStorage, removeCached, requestModel } from './opening.ts';
import { builtIn } from './testing.ts';

const state = useLab.getState;
const until = (condition: () => boolean): Promise<void> => vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 5 });

async function connect(options: Partial<FakeOptions> = {}): Promise<LabApi> {
  const lab = fakeLab({ stepMs: 1, ...options });
  await connectLab(lab);
  return lab;
}

/** The page shows what is reported four times a second, so what is to be seen must last longer. */
const watchable: Partial<FakeOptions> = { stepMs: 40 };

const named = (...paths: readonly string[]): readonly NamedFile[] => paths.map((path) => ({ path, file: new File(['{}'], path) }));

async function finishRun(): Promise<void> {
  editConfig({ steps: 4, warmupSteps: 0, evaluateEvery: 2, driftEvery: 4 });
  await startRun();
  await until(() => selectRun(state())?.state === 'finished' && !state().starting);
}

async function download(): Promise<void> {
  editHub({ name: 'https://huggingface.co/HuggingFaceTB/SmolLM2-135M' });
  await lookUp();
  const found = state().hub.found;
  if (found !== undefined) await openModel({ origin: { kind: 'hub', request: found.request }, precision: 'bf16' });
}

beforeEach(() => useLab.setState(initialState, true));

describe('a model of the Hub', () => {
  it('is looked up before anything is downloaded', async () => {
    await connect();
    editHub({ name: 'https://huggingface.co/HuggingFaceTB/SmolLM2-135M' });
    await lookUp();
    expect(state().hub).toMatchObject({ name: 'HuggingFaceTB/SmolLM2-135M', looking: false, found: { info: { cachedBytes: 0 } } });
    expect(state().model?.source).toBe('built-in');
    editHub({ revision: 'v2' });
    expect(state().hub.found).toBeUndefined();
  });

  it('takes the place of the open one, with settings that suit it', async () => {
    await connect();
    await download();
    expect(state().model).toMatchObject({ name: 'HuggingFaceTB/SmolLM2-135M', precision: 'bf16' });
    expect(state().config).toMatchObject({ maxLength: 512, learningRate: 2e-5, lambda: 1, rankFraction: 0.2 });
    expect(state()).toMatchObject({ opening: undefined, hubAsked: true, modelProblem: undefined });
    expect(selectWelcome(state())).toBe(false);
    expect(state().storage?.models).toHaveLength(1);
    chooseMethod('l2sp');
    expect(state().config.lambda).toBe(0.003);
  });

  it('keeps what came when it is cancelled, and goes on from there', async () => {
    await connect(watchable);
    const opening = download();
    await until(() => state().opening?.progress?.phase === 'download' && state().opening?.progress?.done !== 0);
    await cancelOpening();
    await opening;
    expect(state().model?.source).toBe('built-in');
    expect(state().modelProblem).toBeUndefined();
    expect(state().modelNotice).toMatch(/^Cancelled\. [\d.]+ (kB|MB )?.*came and stay in the cache: the next try goes on from there\. Built-in model is still open\.$/);
    const came = state().hub.found?.info.cachedBytes ?? 0;
    expect(came).toBeGreaterThan(0);
    await download();
    expect(state().model?.source).toBe('hub');
    expect(state().modelNotice).toBeUndefined();
    await removeCached('all');
    expect(state().storage?.models).toEqual([]);
    expect(state().hub.found?.info.cachedBytes).toBe(0);
  });

  it('is explained when it is not there', async () => {
    await connect({ hubProblem: 'The Hub answered 404.' });
    editHub({ name: 'owner/nothing' });
    await lookUp();
    expect(state().modelProblem).toMatchObject({ title: 'owner/nothing could not be looked up', message: 'The Hub answered 404.' });
    editHub({ name: 'nothing' });
    await lookUp();
    expect(state().modelProblem?.message).toContain('"nothing" does not name a model.');
  });
});

describe('files', () => {
  it('of a model that cannot be used leave the open one', async () => {
    await connect();
    await openFiles(named('broken/config.json', 'broken/model.safetensors'));
    expect(state()).toMatchObject({ opening: undefined, model: { source: 'built-in' }, modelProblem: { title: 'broken was not opened', stillHolds: 'Built-in model is still open.' } });
    expect(state().modelProblem?.message).toContain('model_type is "mamba"');
  });

  it('of an adapter become a run beside the others', async () => {
    await connect();
    await finishRun();
    await openFiles(named('adapter/adapter_config.json', 'adapter/adapter_model.safetensors'));
    expect(state().confirming).toBeUndefined();
    expect(selectRun(state())).toMatchObject({ id: 'run-2', state: 'finished', importedFrom: 'adapter', config: { lora: { rank: 8 } } });
    expect(selectRun(state())?.evaluations).toHaveLength(1);
    expect(runNames(state().runs)).toEqual(['RPSFT', 'adapter']);
    const imported = selectRun(state());
    if (imported !== undefined) continueRun(imported);
    expect(state().config, 'what its files do not say stays as it was set').toMatchObject({ startFrom: 'run-2', lora: { rank: 8 }, steps: 4 });
    expect(startObstacle()).toBeUndefined();
    await removeRun('run-2');
    expect(state().config).not.toHaveProperty('startFrom');
  });

  it('of another model take the place of the open one, whose kept runs come back with it', async () => {
    await connect();
    await finishRun();
    await until(() => state().kept['run-1'] !== undefined);
    await openFiles(named('Other/config.json', 'Other/model.safetensors'));
    expect(state()).toMatchObject({ runs: [], confirming: undefined, model: { name: 'Other', source: 'files' } });
    await requestModel({ origin: { kind: 'built-in' }, precision: 'f32' });
    await until(() => state().runs.map(({ id }) => id).join() === 'run-1');
  });

  it('of another model ask before runs are let go that could not be kept', async () => {
    await connect();
    await openFiles(named('adapter/adapter_config.json', 'adapter/adapter_model.safetensors'));
    expect(state().kept['run-1']).toBeUndefined();
    await openFiles(named('Other/config.json', 'Other/model.safetensors'));
    expect(state().confirming).toMatchObject({ origin: { kind: 'files', name: 'Other' } });
    expect(state().runs).toHaveLength(1);
    const request = state().confirming;
    if (request !== undefined) await openModel(request);
    expect(state()).toMatchObject({ runs: [], confirming: undefined, model: { name: 'Other', source: 'files' } });
  });

  it('wait for the run that is going on', async () => {
    await connect();
    editConfig({ steps: 10_000 });
    await startRun();
    await openFiles(named('Other/config.json'));
    expect(state()).toMatchObject({ opening: undefined, modelProblem: { title: 'Other was not opened', message: 'A run is going on, and it trains the open model.' } });
  });
});

describe('another precision', () => {
  it('opens the model again, and its kept runs come back', async () => {
    const lab = await connect();
    await finishRun();
    await until(() => state().kept['run-1'] !== undefined);
    const removed = vi.spyOn(lab, 'removeRun');
    await requestModel({ origin: { kind: 'precision' }, precision: 'bf16' });
    expect(state()).toMatchObject({ confirming: undefined, model: { precision: 'bf16', source: 'built-in' } });
    await until(() => state().runs.map(({ id }) => id).join() === 'run-1');
    expect(removed).not.toHaveBeenCalled();
  });
});

describe('the next visit', () => {
  const other = { model: { ...builtIn, name: 'Other', source: 'files' as const }, datasets: demo() };

  it('finds what was open, and says what could not be opened again', async () => {
    await connect({ reopened: { ...other, notice: { data: 'mine.jsonl is not kept.' } } });
    expect(state()).toMatchObject({ connection: 'ready', model: { name: 'Other' }, importNotice: 'mine.jsonl is not kept.', station: 'data', modelNotice: undefined });
    useLab.setState(initialState, true);
    await connect({ reopened: { ...other, notice: { model: 'Big is not kept.' } } });
    expect(state()).toMatchObject({ modelNotice: 'Big is not kept.', station: 'model', importNotice: undefined });
  });

  it('has the singular bases that are kept, until they are deleted', async () => {
    const bases = { key: 'b', name: 'Other', precision: 'f32', rankFraction: 0.2, bytes: 2e8, lastUsed: '2026-12-01T00:00:00.000Z' } as const;
    const lab = await connect({ bases: [bases] });
    await refreshStorage();
    expect(state().keptBases).toEqual([bases]);
    await forgetBases(bases);
    expect(state().keptBases).toEqual([]);
    lab.forgetBases = () => Promise.reject(new Error('The disk does not answer.'));
    await forgetBases(bases);
    expect(state().modelProblem).toMatchObject({ title: 'The bases of Other were not deleted', message: 'The disk does not answer.' });
  });

  it('has the files that are kept, until they are deleted', async () => {
    const file = { key: 'a', kind: 'data', name: 'mine.jsonl', bytes: 4000, runs: 1, queued: 0, open: false } as const;
    const lab = await connect({ files: [file] });
    await refreshStorage();
    expect(state().keptFiles).toEqual([file]);
    await forgetFile(file);
    expect(state().keptFiles).toEqual([]);
    lab.forgetFile = () => Promise.reject(new Error('mine.jsonl is open from here.'));
    await forgetFile(file);
    expect(state().modelProblem).toMatchObject({ title: 'mine.jsonl was not deleted', message: 'mine.jsonl is open from here.' });
  });
});

describe('LoRA', () => {
  it('brings its learning rate and targets, and is remembered', async () => {
    await connect();
    trainLora(true);
    expect(state().config).toMatchObject({ learningRate: 1e-3, lora: { rank: 16, alpha: 32 } });
    expect(state().config.lora?.targets).toHaveLength(7);
    editLora({ rank: 4 });
    trainLora(false);
    expect(state().config).toMatchObject({ learningRate: 5e-4 });
    expect(state().config).not.toHaveProperty('lora');
    trainLora(true);
    expect(state().config.lora?.rank).toBe(4);
    editConfig({ learningRate: 2e-3 });
    trainLora(false);
    expect(state().config.learningRate).toBe(2e-3);
  });
});

describe('a run that does not fit', () => {
  it('is not started, and can be made smaller', async () => {
    const lab = await connect({ memory: 40_000_000 });
    const start = vi.spyOn(lab, 'start');
    await startRun();
    await until(() => !state().starting);
    expect(start).not.toHaveBeenCalled();
    const misfit = selectMisfit(state());
    expect(misfit).toMatchObject({ stoppedAt: 40_000_000 });
    expect(startObstacle()).toBe('This run does not fit on this adapter.');
    const [recompute] = misfit?.ways.filter(({ change }) => change === 'recompute') ?? [];
    const [parts] = misfit?.ways.filter(({ change }) => change === 'micro-batch') ?? [];
    if (recompute === undefined || parts === undefined) throw new Error('Both ways are offered.');
    await applyWay(recompute);
    expect(selectMisfit(state())?.needed).toBe(recompute.total);
    await applyWay(parts);
    expect(selectMisfit(state())).toBeUndefined();
    await finishRun();
    expect(state().runs).toHaveLength(1);
  });

  it('says of each way whether it is enough', () => {
    const way = { saves: 2_050_000_000, cost: 'steps slower', total: 2_760_000_000 };
    expect(wayDetail(way, 4_000_000_000)).toBe('saves 2.05 GB, steps slower; then it should fit');
    expect(wayDetail(way, 2_000_000_000)).toBe('saves 2.05 GB, steps slower; then still 2.76 GB');
  });
});

describe('an export', () => {
  const options = { kind: 'peft', dtype: 'F32', rank: 16 } as const;

  it('into a folder offers no download', async () => {
    await connect();
    await finishRun();
    // A handle of the browser's file system; the engine of this test does not look into it.
    const folder = { kind: 'directory', name: 'mine' } as FileSystemDirectoryHandle;
    await writeExport('run-1', options, folder);
    expect(state().exported).toMatchObject({ state: 'done', folder: 'mine', result: { retainedEnergy: 0.914 } });
    expect(state().exported?.result).not.toHaveProperty('file');
  });

  it('can be cancelled', async () => {
    await connect(watchable);
    await finishRun();
    const writing = writeExport('run-1', options);
    await until(() => state().exported?.progress !== undefined);
    await cancelExport();
    await writing;
    expect(state().exported).toMatchObject({ state: 'cancelled', result: undefined, message: undefined });
  });
});
