/** @file GRPO as the page asks for it: from the weights of a supervised run to weights that are kept, compared and exported like those of any run. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import { importDataset } from '../data/dataset.ts';
import type { DecodeProgress } from '../engine.ts';
import { createEngine } from '../engine.ts';
import { isCorrect } from '../evaluation/answer.ts';
import { testAdapters, testGpu } from '../gpu/testing.ts';
import type { Turn } from '../gpu/turn.ts';
import type { MemoryDirectory } from '../storage/testing.ts';
import { memoryDirectory } from '../storage/testing.ts';
import type { LabEvent, RunConfig, RunId, RunState, StepMetrics } from './protocol.ts';
import type { Learner, Taken } from './learner.ts';
import { Stopped } from './learner.ts';
import { reinforceSettings, reinforcing } from './reinforcing.ts';
import { Session } from './session.ts';

const SFT: RunConfig = {
  method: 'sft', lambda: 0, rankFraction: 0.25, tau: 1, throughScale: false, beta: 0.1, learningRate: 3e-3, schedule: 'constant', warmupSteps: 0, steps: 8, batchSize: 4, accumulation: 1, maxLength: 32,
  beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: 1, seed: 1, evaluateEvery: 100, driftEvery: 0, evaluationItems: 2, recompute: false,
};
const REINFORCE = { prompts: 2, samples: 4, maxNewTokens: 8, sequences: 64, updates: 1, clipLow: 0.2, clipHigh: 0.28 };

/** After a few steps the model answers either way, so that a group of answers is mixed. */
const ROWS = ['1', '2', '1', '2'].map((answer) => JSON.stringify({ question: 'One or two?', answer: `#### ${answer}` })).join('\n');

const fetchPublic = async (path: string): Promise<Blob> => {
  const bytes = await readFile(new URL(`../../public/${path}`, import.meta.url));
  return new Blob([path.startsWith('data/') ? bytes.toString('utf8').split('\n').slice(0, 1).join('\n') : bytes]);
};

const adapters = await testAdapters();

/** A disk as it was left by a tab that dies now. */
function copyOf(disk: MemoryDirectory): MemoryDirectory {
  const copy = memoryDirectory();
  for (const [name, bytes] of disk.files) copy.files.set(name, bytes);
  return copy;
}

/** A page on a disk, with its worker. */
async function openPage(disk: MemoryDirectory) {
  const session = new Session(adapters, { fetchPublic, fetch, openDirectory: async (name) => (name === 'runs' ? disk : memoryDirectory()), browser: 'Node' });
  const events: LabEvent[] = [];
  const { port1, port2 } = new MessageChannel();
  const waiting = new Set<() => void>();
  port1.onmessage = ({ data }: MessageEvent<LabEvent>) => {
    events.push(data);
    for (const look of waiting) look();
  };
  const heard = (isIt: (event: LabEvent) => boolean): Promise<LabEvent> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = events.find(isIt);
        if (!found) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  const ended = async (run: RunId): Promise<{ readonly state: RunState; readonly message?: string }> => {
    const event = await heard((each) => each.type === 'state' && each.run === run && ['finished', 'stopped', 'failed'].includes(each.state));
    if (event.type !== 'state') throw new Error('not a state');
    return event;
  };
  const stepsOf = (run: RunId): StepMetrics[] => events.flatMap((event) => (event.type === 'steps' && event.run === run ? event.steps : [])).map((step) => ({ ...step, tokensPerSecond: 0 }));
  /** Makes a run to its end. */
  const make = async (config: RunConfig): Promise<RunId> => {
    const { id } = await session.start(config);
    expect(await ended(id)).toMatchObject({ state: 'finished' });
    return id;
  };
  await session.connect(port2);
  await session.openBuiltIn();
  await session.importFile('train', new File([ROWS], 'digits.jsonl'), []);
  return { session, events, heard, ended, stepsOf, make, close: () => port1.close() };
}

describe('reinforceSettings', () => {
  it('counts the schedule in updates and splits the answers of a step', () => {
    const settings = reinforceSettings({ ...SFT, warmupSteps: 5, accumulation: 3 }, { ...REINFORCE, updates: 2 });
    expect(settings.schedule).toEqual({ kind: 'constant', learningRate: 3e-3, warmupSteps: 10, steps: 16 });
    expect(settings).toMatchObject({ rows: 3, sequences: 8, prompts: 2, clipHigh: 0.28, optimizer: { clipNorm: 1 } });
    expect(reinforceSettings(SFT, { ...REINFORCE, sequences: 3 }).sequences).toBe(3);
  });
});

describe('a run of GRPO', () => {
  it('goes on from a supervised run, is taken up after a reload to the same bits, and is kept and exported with what it says of its answers', async () => {
    const disk = memoryDirectory();
    const page = await openPage(disk);
    const { session, heard } = page;
    const startFrom = await page.make(SFT);
    const config: RunConfig = { ...SFT, steps: 2, learningRate: 1e-4, startFrom, reinforce: REINFORCE };

    const estimate = await session.estimate(config, true);
    expect(estimate.obstacle).toBeUndefined();
    expect(estimate.bytes.map(({ category }) => category)).toContain('cache');
    expect(estimate.seconds).toBeGreaterThan(0);
    expect(estimate.epochs).toBe(1);
    expect(await session.checkFit(config)).toEqual({ fits: true });

    const { id } = await session.start(config);
    await session.pause();
    await heard((event) => event.type === 'state' && event.run === id && event.state === 'paused');
    await session.stepOnce();
    await vi.waitFor(() => expect([...disk.files.keys()]).toContain(`${id}.1.checkpoint`), 60_000);
    const left = copyOf(disk);
    await session.resume();
    expect(await page.ended(id)).toMatchObject({ state: 'finished' });

    const steps = page.stepsOf(id);
    expect(steps.map(({ step }) => step)).toEqual([1, 2]);
    for (const step of steps) {
      expect(step.reward! * 8, 'a whole number of the eight answers is right').toBeCloseTo(Math.round(step.reward! * 8), 9);
      expect(step.answerTokens! * 8).toBeCloseTo(step.trainedTokens, 9);
      expect(step.entropy).toBeGreaterThan(0);
      expect(step.clipShare, 'at the first update the ratio is 1').toBe(0);
      expect(step.gradientNorm > 0, 'only groups that are mixed teach').toBe(step.mixedGroups! > 0);
      expect(step).toMatchObject({ learningRate: 1e-4, penalty: 0, skipped: false });
    }
    expect(Math.max(...steps.map(({ mixedGroups }) => mixedGroups!))).toBeGreaterThan(0);
    const mixed = steps.find(({ mixedGroups }) => mixedGroups! > 0)!;
    const shown = await heard((event) => event.type === 'answers' && event.run === id && event.sampled.step === mixed.step);
    expect(shown).toMatchObject({ sampled: { question: 'One or two?', expected: expect.stringMatching(/^[12]$/) as string, of: 4 } });
    const { expected, answers } = (shown as Extract<LabEvent, { type: 'answers' }>).sampled;
    expect(new Set(answers.map(({ reward }) => reward)), 'a group that teaches').toEqual(new Set([0, 1]));
    for (const { text, reward, advantage } of answers) {
      expect(isCorrect(text, expected)).toBe(reward === 1);
      expect(advantage > 0).toBe(reward === 1);
    }
    const start = page.events.find((event) => event.type === 'start');
    const final = page.events.findLast((event) => event.type === 'evaluation' && event.run === startFrom);
    expect(start, 'where it starts is where the supervised run has ended').toMatchObject({ run: id, evaluation: { ...(final as Extract<LabEvent, { type: 'evaluation' }>).evaluation, step: 0 } });

    const { file, fileName, verification } = await session.exportRun(id, { kind: 'model', dtype: 'F32', rank: 8 });
    expect(verification.filter(({ passed }) => !passed)).toEqual([]);
    expect(fileName).toBe('gimbal-grpo-sft-2-steps.zip');
    const opened = await session.openFiles([{ path: file!.name, file: file! }], 'f32');
    expect(opened.run!.config, 'run.json carries it').toMatchObject({ method: 'sft', reinforce: REINFORCE });
    expect(opened.events!.flatMap((event) => (event.type === 'steps' ? event.steps : [])).map(({ reward, ended }) => [reward, ended])).toEqual(steps.map(({ reward, ended }) => [reward, ended]));
    expect(opened.events!.filter(({ type }) => type === 'start')).toHaveLength(1);
    page.close();

    const after = await openPage(left);
    expect((await after.session.storedRuns()).find(({ summary }) => summary.id === id)).toMatchObject({ summary: { state: 'failed', completedSteps: 1 }, resumableFrom: 1 });
    await after.session.resumeRun(id);
    expect(await after.ended(id)).toMatchObject({ state: 'finished' });
    expect(after.stepsOf(id)).toEqual(steps.slice(1));
    expect(left.files.get(`${id}.safetensors`)).toEqual(disk.files.get(`${id}.safetensors`));
    expect(after.events.some(({ type }) => type === 'start'), 'it was measured before').toBe(false);
    after.close();
  });
});

describe('sampling', () => {
  it('tells its tokens, and ends within a slice without a trace, or with the steps before it', async () => {
    const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
    const files = new Map(await Promise.all(names.map(async (name) => [name, await fetchPublic(`model/${name}`)] as const)));
    const lab = await createEngine(await testGpu()).open(files);
    const questions = await (await importDataset(new File([ROWS], 'rows.jsonl'))).examples.read();
    const now: Turn = (work) => work();
    const learner = (): Promise<Learner> => reinforcing(lab, { ...SFT, reinforce: REINFORCE }, REINFORCE, questions, undefined);
    const told: DecodeProgress[] = [];
    let sampled = 0;
    const onProgress = (progress: DecodeProgress): void => {
      told.push(progress);
      if (progress.done === progress.total) sampled += 1;
    };
    const straight = await learner();
    const expected = [await straight.take(1, now, { turn: now, onProgress }), await straight.take(1, now, { turn: now, onProgress })];
    expect(sampled).toBe(2);

    const interrupted = await learner();
    const until =
      (isOver: () => boolean): Turn =>
      (work) => {
        if (isOver()) throw new Stopped('The run was stopped.');
        return work();
      };
    told.length = 0;
    await expect(interrupted.take(1, now, { turn: until(() => told.length === 1), onProgress })).rejects.toThrow(Stopped);
    sampled = 0;
    const measured = ({ steps }: Taken): unknown => steps.map((step) => ({ ...step, tokensPerSecond: 0 }));
    expect(measured(await interrupted.take(2, now, { turn: until(() => sampled === 1), onProgress }))).toEqual(measured(expected[0]!));
    expect(measured(await interrupted.take(1, now, { turn: now, onProgress }))).toEqual(measured(expected[1]!));
    for (const each of [straight, interrupted]) each.destroy();
    lab.destroy();
  });
});

describe('data that GRPO can learn nothing from', () => {
  it('is told before a run, and to one that is started all the same', async () => {
    const page = await openPage(memoryDirectory());
    const config: RunConfig = { ...SFT, steps: 1, reinforce: REINFORCE };
    const obstacleOf = async (rows: readonly object[], change: Partial<RunConfig> = {}): Promise<string | undefined> => {
      expect(await page.session.importFile('train', new File([rows.map((row) => JSON.stringify(row)).join('\n')], 'open.jsonl'), [])).not.toHaveProperty('problem');
      return (await page.session.estimate({ ...config, ...change }, false)).obstacle;
    };
    expect(await obstacleOf([{ question: 'Two?', answer: 'It is #### 2' }, { question: 'Why?', answer: 'It is.' }])).toBeUndefined();
    expect((await page.session.estimate(config, false)).warnings).toEqual(['1 of 2 rows of open.jsonl have no gold answer and are left out.']);
    expect(await obstacleOf([{ question: 'Two?', answer: 'It is #### 2' }, { question: 'One and one and one and one and one and one?', answer: '#### 6' }], { maxLength: 20 })).toBeUndefined();
    expect((await page.session.estimate({ ...config, maxLength: 20 }, false)).warnings).toEqual([expect.stringMatching(/^1 of 2 rows of open\.jsonl are left out: their question and an answer of 8 tokens/)]);
    expect(await obstacleOf([{ question: 'Which is red?', choices: ['rose', 'sky'], answer: 'A' }])).toContain('none of its own completions ends in its gold answer');
    expect(await obstacleOf([{ prompt: 'Say something.', completion: 'Something.' }])).toContain('No row of open.jsonl has a gold answer');
    const { id } = await page.session.start(config);
    expect(await page.ended(id)).toMatchObject({ state: 'failed', message: expect.stringContaining('No row of open.jsonl has a gold answer') as string });
    expect(await obstacleOf([{ question: 'Two?', answer: 'It is #### 2' }], { maxLength: 9 })).toContain('leaves room for an answer of 8 tokens in a row of 9');
    page.close();
  });
});
