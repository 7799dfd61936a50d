/** @file GRPO as the page asks for it: from the weights of a supervised run to weights that are kept, compared and exported like those of any run. */
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { testAdapters } from '../gpu/testing.ts';
import { memoryDirectory } from '../storage/testing.ts';
import type { LabEvent, RunConfig, RunState, StepMetrics } from './protocol.ts';
import { reinforceSettings } from './reinforcing.ts';
import { Session } from './session.ts';

const SFT: RunConfig = {
  method: 'sft', lambda: 0, rankFraction: 0.25, tau: 1, throughScale: false, beta: 0.1, learningRate: 3e-3, schedule: 'constant', warmupSteps: 0, steps: 8, batchSize: 4, accumulation: 1, maxLength: 32,
  beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: 1, seed: 1, evaluateEvery: 100, driftEvery: 0, evaluationItems: 2, recompute: false,
};
const REINFORCE = { prompts: 2, samples: 4, maxNewTokens: 8, updates: 1, clipLow: 0.2, clipHigh: 0.28 };

/** After a few steps the model answers either way, so that a group of answers is mixed. */
const ROWS = ['1', '2', '1', '2'].map((answer) => JSON.stringify({ question: 'One or two?', answer: `#### ${answer}` })).join('\n');

const fetchPublic = async (path: string): Promise<Blob> => {
  const bytes = await readFile(new URL(`../../public/${path}`, import.meta.url));
  return new Blob([path.startsWith('data/') ? bytes.toString('utf8').split('\n').slice(0, 1).join('\n') : bytes]);
};

const session = new Session(await testAdapters(), { fetchPublic, fetch, openDirectory: async () => memoryDirectory(), browser: 'Node' });
const events: LabEvent[] = [];
const { port1, port2 } = new MessageChannel();
const ended = new Map<string, (end: { readonly state: RunState; readonly message: string | undefined }) => void>();
port1.onmessage = ({ data }: MessageEvent<LabEvent>) => {
  events.push(data);
  if (data.type === 'state' && ['finished', 'stopped', 'failed'].includes(data.state)) ended.get(data.run)?.({ state: data.state, message: data.message });
};

/** Makes a run to its end. */
async function make(config: RunConfig): Promise<{ readonly id: string; readonly state: RunState; readonly message: string | undefined; readonly steps: readonly StepMetrics[] }> {
  const { id } = await session.start(config);
  const end = await new Promise<{ readonly state: RunState; readonly message: string | undefined }>((resolve) => {
    ended.set(id, resolve);
  });
  return { id, ...end, steps: events.flatMap((event) => (event.type === 'steps' && event.run === id ? event.steps : [])) };
}

beforeAll(async () => {
  await session.connect(port2);
  await session.openBuiltIn();
  await session.importFile('train', new File([ROWS], 'digits.jsonl'), []);
});

describe('reinforceSettings', () => {
  it('counts the schedule in updates and splits the answers of a step', () => {
    const settings = reinforceSettings({ ...SFT, warmupSteps: 5, accumulation: 3 }, { ...REINFORCE, updates: 2 });
    expect(settings.schedule).toEqual({ kind: 'constant', learningRate: 3e-3, warmupSteps: 10, steps: 16 });
    expect(settings).toMatchObject({ rows: 3, sequences: 8, prompts: 2, clipHigh: 0.28, optimizer: { clipNorm: 1 } });
  });
});

describe('a run of GRPO', () => {
  it('goes on from a supervised run, reports what its answers are worth, keeps its weights and exports them', async () => {
    const { id: startFrom } = await make(SFT);
    const { id, state, message, steps } = await make({ ...SFT, steps: 2, learningRate: 1e-4, startFrom, reinforce: REINFORCE });
    expect([state, message]).toEqual(['finished', undefined]);
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
    const { file, verification } = await session.exportRun(id, { kind: 'model', dtype: 'F32', rank: 8 });
    expect(verification.filter(({ passed }) => !passed)).toEqual([]);
    const opened = await session.openFiles([{ path: file!.name, file: file! }], 'f32');
    expect(opened.run!.config, 'run.json carries it').toMatchObject({ method: 'sft', reinforce: REINFORCE });
    expect((await session.storedRuns()).find(({ summary }) => summary.id === id)).toMatchObject({ hasWeights: true });
  });

  it('is refused where no row has a gold answer', async () => {
    await session.importFile('train', new File(['{"prompt":"Say something.","completion":"Something."}'], 'open.jsonl'), []);
    const { state, message } = await make({ ...SFT, steps: 1, reinforce: REINFORCE });
    expect([state, message]).toEqual(['failed', expect.stringContaining('No row of open.jsonl has a gold answer')]);
  });
});
