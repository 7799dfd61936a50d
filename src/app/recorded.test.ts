/** @file A recording becomes the same runs that its events made when they were live. */
import { expect, it, vi } from 'vitest';
import { connectLab } from './labClient.ts';
import { startRun } from './run/control.ts';
import { recordedRuns } from './recorded.ts';
import { editConfig, initialState, selectRun, useLab } from './store.ts';
import { fakeLab } from './testing.ts';

it('plays a recorded run back', async () => {
  useLab.setState(initialState, true);
  const lab = fakeLab({ stepMs: 1 });
  await connectLab(lab);
  editConfig({ steps: 20, warmupSteps: 2, evaluateEvery: 10, driftEvery: 10 });
  await startRun();
  await vi.waitFor(() => expect(selectRun(useLab.getState())?.state).toBe('finished'), { timeout: 5000 });
  const live = selectRun(useLab.getState());
  const [played] = recordedRuns(await lab.record());
  expect(played).toMatchObject({ recorded: true, state: 'finished', completedSteps: 20, activeMs: 0 });
  expect(played?.steps).toEqual(live?.steps);
  expect(played?.evaluations).toEqual(live?.evaluations);
  expect(played?.drifts).toEqual(live?.drifts);
});
