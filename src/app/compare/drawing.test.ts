import { afterEach, describe, expect, it } from 'vitest';
import { useLab } from '../store.ts';
import { bestOfEachMethod, drawOnly, MOST_DRAWN, thinOut } from './drawing.ts';
import { groupRuns } from './groups.ts';
import { runOf } from './testing.ts';

const initial = useLab.getInitialState();

afterEach(() => useLab.setState(initial, true));

/** SFT at three rates and L2-SP at one: both methods gain 0.8 at most, and one SFT run gains little. */
const runs = [
  runOf({ method: 'sft', learningRate: 1e-4 }, [[0, 0.9], [0.2, 0.85]]),
  runOf({ method: 'sft', learningRate: 2e-4 }, [[0, 0.9], [0.8, 0.5]]),
  runOf({ method: 'sft', learningRate: 3e-4 }, [[0, 0.9], [0.8, 0.4]]),
  runOf({ method: 'l2sp' }, [[0, 0.9], [0.1, 0.8]]),
];

describe('bestOfEachMethod', () => {
  it('takes what keeps most at half of the best gain, else what gains most, ticked or not', () => {
    const groups = groupRuns(runs.map((run) => ({ ...run, visible: false })));
    expect(bestOfEachMethod(groups, {}).map(({ runs: [run] }) => run)).toMatchObject([{ id: runs[1]!.id }, { id: runs[3]!.id }]);
  });

  it('takes a setting with several seeds before one with a single seed that keeps more', () => {
    const again = runOf({ method: 'sft', learningRate: 3e-4, seed: 2 }, [[0, 0.9], [0.8, 0.4]]);
    expect(bestOfEachMethod(groupRuns([...runs, again]), {}).map(({ runs: [run] }) => run)).toMatchObject([{ id: runs[2]!.id }, { id: runs[3]!.id }]);
  });

  it('keeps what is pinned', () => {
    const kept = { [runs[2]!.id]: { notes: { tags: [], pinned: true }, environment: { adapter: '', browser: '', dataHashes: {} }, bytes: 0, hasWeights: false } };
    expect(bestOfEachMethod(groupRuns(runs, [], kept), kept)).toHaveLength(3);
  });
});

describe('thinOut', () => {
  const visible = (): readonly string[] => useLab.getState().runs.filter((run) => run.visible).map(({ id }) => id);

  it('leaves a few groups as they are', () => {
    useLab.setState({ runs });
    expect(thinOut()).toBe(false);
    expect(visible()).toHaveLength(runs.length);
  });

  it('ticks the best of each method where there are too many, and all come back', () => {
    const many = Array.from({ length: MOST_DRAWN }, (_, i) => runOf({ method: 'sft', learningRate: 4e-4 + i * 1e-5 }, [[0, 0.9], [0.8, 0.3]]));
    useLab.setState({ runs: [...runs, ...many] });
    expect(thinOut()).toBe(true);
    expect(visible()).toEqual([runs[1]!.id, runs[3]!.id]);
    drawOnly(groupRuns(useLab.getState().runs));
    expect(visible()).toHaveLength(runs.length + many.length);
  });
});
