/** @file The evaluation sheet against a scripted engine: measured, cancelled, refused, and opened from a figure; and a file whose import is cancelled. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { cancelImport, importFile } from '../data/importing.ts';
import { connectLab } from '../labClient.ts';
import { startRun } from '../run/control.ts';
import { closeSheet, editConfig, initialState, selectRun, useLab } from '../store.ts';
import { fakeLab } from '../testing.ts';
import { askInPlayground, cancelEvaluation, editForm, evaluate, openEvaluation, selectReport, showFailures } from './session.ts';

const state = useLab.getState;
const until = (condition: () => boolean): Promise<void> => vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 10 });

beforeEach(() => useLab.setState(initialState, true));

async function trained(stepMs = 1): Promise<string> {
  await connectLab(fakeLab({ stepMs }));
  editConfig({ steps: 4, warmupSteps: 0, evaluateEvery: 2, driftEvery: 4 });
  await startRun();
  await until(() => selectRun(state())?.state === 'finished');
  return selectRun(state())!.id;
}

describe('an evaluation', () => {
  it('measures the base model and the run, and keeps its names', async () => {
    const run = await trained(40);
    openEvaluation();
    editForm({ role: 'outOfDomain', items: 5 });
    const done = evaluate();
    await until(() => state().evaluation.going?.progress?.phase === 'evaluate');
    await done;
    const named = selectReport(state());
    expect(named?.report.request).toMatchObject({ role: 'outOfDomain', columns: ['base', run], items: 5 });
    expect(named?.names).toMatchObject({ base: 'Base model', [run]: 'RPSFT' });
    expect(state().evaluation.going).toBeUndefined();
    await evaluate();
    expect(state().evaluation.reports).toHaveLength(2);
    expect(selectReport(state())?.report.id).toBe(state().evaluation.reports[0]?.report.id);
  });

  it('says why it cannot, and that it was cancelled', async () => {
    await connectLab(fakeLab({ stepMs: 20 }));
    editForm({ items: 0 });
    await evaluate();
    expect(state().evaluation.problem).toBe('Items has to be between 1 and 1,000,000.');
    editForm({ items: 5 });
    expect(state().evaluation.problem).toBeUndefined();
    const done = evaluate();
    await until(() => state().evaluation.going !== undefined);
    await cancelEvaluation();
    await done;
    expect(state().evaluation).toMatchObject({ notice: 'Cancelled. Nothing was measured; earlier reports are as they were.', problem: undefined, reports: [] });
  });

  it('opens on failures from a figure, and measures only once for them', async () => {
    const run = await trained();
    await showFailures('heldOut', run);
    expect(state()).toMatchObject({ sheet: 'evaluation', evaluation: { which: 'failures' } });
    expect(state().evaluation.reports).toHaveLength(1);
    closeSheet();
    await showFailures('heldOut', run);
    expect(state().evaluation.reports).toHaveLength(1);
    await showFailures('outOfDomain', run);
    expect(state().evaluation.reports).toHaveLength(2);
  });

  it('puts an item into the playground', async () => {
    await connectLab(fakeLab({ stepMs: 1 }));
    openEvaluation();
    askInPlayground({ row: 1, prompt: '1 + 1?', expected: '2', answers: [] }, { role: 'heldOut', measure: 'generation' });
    expect(state()).toMatchObject({ tab: 'playground', sheet: undefined, playground: { prompt: '1 + 1?', source: { role: 'heldOut', expected: '2', worked: true } } });
  });
});

describe('an import', () => {
  const file = (name: string): File => new File(['{"question": "1", "answer": "1"}\n'], name);

  it('shows its bytes and can be cancelled', async () => {
    await connectLab(fakeLab({ stepMs: 60 }));
    const done = importFile('train', file('large.jsonl'));
    await until(() => state().importing?.progress?.unit === 'bytes');
    await cancelImport();
    await done;
    expect(state()).toMatchObject({ importing: undefined, fileProblem: undefined, importNotice: 'Cancelled: large.jsonl was not loaded. The demo data is still loaded.' });
    expect(state().datasets.train?.origin).toBe('demo');
  });

  it('gives way to the next file', async () => {
    await connectLab(fakeLab({ stepMs: 5 }));
    const first = importFile('train', file('first.jsonl'));
    await until(() => state().importing !== undefined);
    await Promise.all([first, importFile('heldOut', file('second.jsonl'))]);
    expect(state()).toMatchObject({ importing: undefined, importNotice: undefined, fileProblem: undefined });
    expect(state().datasets.heldOut?.name).toBe('second.jsonl');
    expect(state().datasets.train?.origin).toBe('demo');
  });
});
