import { describe, expect, it } from 'vitest';
import type { Accuracy, Measure, SuiteMeasures } from '../../worker/protocol.ts';
import { plainText } from '../charts/Phrases.tsx';
import { accuracyOf, madeUpRun } from '../charts/testing.ts';
import type { LabRun } from '../runs.ts';
import {
  balanceRows,
  changeBetween,
  changeSentence,
  comparisonSentence,
  findingOf,
  outOfDomainAt,
  readyFinding,
  seedSentence,
} from './findings.ts';
import { groupChanges } from './groups.ts';

/** A run with evaluations of the given accuracies, 30 steps apart. */
function evaluated(method: 'sft' | 'rpsft', points: readonly (readonly [number, number])[], items = 200): LabRun {
  const run = madeUpRun({ method });
  const evaluations = points.map(([inDomain, outOfDomain], index) => ({
    step: index * 30,
    heldOutLoss: 1,
    outOfDomainLoss: 1,
    inDomain: accuracyOf(inDomain, items),
    outOfDomain: accuracyOf(outOfDomain, items),
    groups: [],
  }));
  return { ...run, evaluations };
}

const change = (value: number, half: number): { value: number; low: number; high: number } => ({
  value,
  low: value - half,
  high: value + half,
});

describe('changeBetween', () => {
  it('is wider than either interval and holds the difference', () => {
    const before = accuracyOf(0.95, 600);
    const after = accuracyOf(0.8, 600);
    const { value, low, high } = changeBetween(before, after);
    expect(value).toBeCloseTo(-0.15, 9);
    expect(low).toBeLessThan(-0.15);
    expect(high).toBeGreaterThan(-0.15);
    expect(high - low).toBeGreaterThan(after.high - after.low);
  });

  it('does not fail without items', () => {
    const none: Accuracy = { correct: 0, items: 0, low: 0, high: 0 };
    expect(changeBetween(none, none)).toEqual({ value: 0, low: 0, high: 0 });
  });
});

describe('changeSentence', () => {
  it('says what was gained and what was lost', () => {
    expect(plainText(changeSentence(change(0.555, 0.07), change(-0.131, 0.03)))).toBe(
      'Gained 55.5 points in-domain, lost 13.1 out-of-domain.',
    );
  });

  it('never claims a change whose interval holds zero', () => {
    expect(plainText(changeSentence(change(0.555, 0.07), change(-0.01, 0.03)))).toBe(
      'Gained 55.5 points in-domain; the change out-of-domain is within its uncertainty.',
    );
    expect(plainText(changeSentence(change(0.01, 0.07), change(-0.2, 0.03)))).toBe(
      'Lost 20.0 points out-of-domain; the change in-domain is within its uncertainty.',
    );
    expect(plainText(changeSentence(change(0.01, 0.07), change(-0.01, 0.03)))).toBe(
      'No change beyond the uncertainty, in-domain or out-of-domain.',
    );
  });

  it('does not hide a loss in-domain', () => {
    expect(plainText(changeSentence(change(-0.2, 0.07), change(-0.2, 0.03)))).toBe('Lost 20.0 points in-domain, lost 20.0 out-of-domain.');
  });
});

describe('comparison at equal gain', () => {
  const current = evaluated('rpsft', [
    [0, 0.95],
    [0.5, 0.85],
  ]);
  const fast = evaluated('sft', [
    [0, 0.95],
    [0.25, 0.85],
    [0.75, 0.65],
  ]);

  it('interpolates between evaluations and says so', () => {
    expect(outOfDomainAt(fast, 0.5)?.share).toBeCloseTo(0.75, 9);
    expect(comparisonSentence(current, { run: fast, name: 'SFT' })).toBe('At this in-domain gain SFT had lost about 20.0.');
  });

  it('is exact at an evaluation', () => {
    expect(
      comparisonSentence(
        evaluated('rpsft', [
          [0, 0.95],
          [0.25, 0.9],
        ]),
        { run: fast, name: 'SFT' },
      ),
    ).toBe('At this in-domain gain SFT had lost 10.0.');
  });

  it('says when the other never got there', () => {
    const slow = evaluated('sft', [
      [0, 0.95],
      [0.25, 0.85],
    ]);
    expect(comparisonSentence(current, { run: slow, name: 'SFT' })).toBe('SFT did not reach this in-domain gain.');
    expect(comparisonSentence(current, { run: { ...slow, state: 'running' }, name: 'SFT' })).toBe(
      'SFT has not reached this in-domain gain yet.',
    );
  });

  it('says nothing where nothing was gained', () => {
    expect(
      comparisonSentence(
        evaluated('rpsft', [
          [0.5, 0.95],
          [0.5, 0.9],
        ]),
        { run: fast, name: 'SFT' },
      ),
    ).toBe('');
  });
});

describe('findingOf', () => {
  it('gives place, intervals with counts, and what one seed leaves open', () => {
    const run = evaluated('rpsft', [
      [0, 0.95],
      [0.5, 0.85],
    ]);
    const { detail } = findingOf({ run: { ...run, state: 'running' }, name: 'RPSFT' }, [
      {
        run: evaluated('sft', [
          [0, 0.95],
          [0.6, 0.6],
        ]),
        name: 'SFT',
      },
    ]);
    expect(detail).toContain('RPSFT at step 30 of 300, against the base model.');
    expect(detail).toMatch(/95% intervals: in-domain \d+\.\d–\d+\.\d% on 200 items, out-of-domain \d+\.\d–\d+\.\d% on 200\./);
    expect(detail).toContain('1 seed each: which of the two is ahead is open.');
  });

  it('marks a run that was stopped early', () => {
    expect(
      findingOf(
        {
          run: {
            ...evaluated('rpsft', [
              [0, 0.95],
              [0.5, 0.85],
            ]),
            state: 'stopped',
          },
          name: 'RPSFT',
        },
        [],
      ).detail,
    ).toContain('RPSFT stopped, at step 30 of 300');
  });

  it('shows only the base model before the first evaluation', () => {
    const run = { ...evaluated('rpsft', [[0, 0.95]]), state: 'running' as const };
    const { line, detail } = findingOf({ run, name: 'RPSFT' }, []);
    expect(plainText(line)).toBe('RPSFT is training.');
    expect(detail).toBe('First evaluation at step 30. The base model: 0.0% in-domain on 200 items, 95.0% out-of-domain on 200.');
    expect(balanceRows([{ run, name: 'RPSFT' }])).toEqual([]);
  });

  it('says what the next run will be', () => {
    const { config } = madeUpRun();
    expect(readyFinding(config, 'RPSFT', 'the demo data', 'about 53 s').detail).toMatch(/^300 steps of 16 rows, about 53 s here\./);
    expect(readyFinding(config, 'RPSFT', 'the demo data', undefined).detail).toMatch(/^300 steps of 16 rows\. /);
  });
});

describe('suites of plain text', () => {
  const text = (inDomain: Measure, outOfDomain: Measure, losses: readonly (readonly [number, number])[]): LabRun => {
    const run = evaluated('rpsft', [[0, 0.95], [0, 0.8]]);
    return { ...run, measures: { inDomain, outOfDomain }, evaluations: run.evaluations.map((evaluation, index) => ({ ...evaluation, heldOutLoss: losses[index]![0], outOfDomainLoss: losses[index]![1] })) };
  };
  const found = (run: LabRun): { readonly line: string; readonly detail: string } => {
    const { line, detail } = findingOf({ run, name: 'RPSFT' }, []);
    return { line: plainText(line), detail };
  };

  it('are told by their loss, never by an accuracy', () => {
    const run = text('perplexity', 'choice', [[3.2141, 1], [2.8714, 1]]);
    const { line, detail } = found(run);
    expect(line).toBe('In-domain loss fell from 3.214 to 2.871; lost 15.0 points out-of-domain.');
    expect(detail).toMatch(/95% interval: out-of-domain [\d.–]+% on 200 items\. Loss a token over 200 in-domain items, without interval;/);
    const [row] = balanceRows([{ run, name: 'RPSFT' }]);
    expect(row?.inDomain).toBeUndefined();
    expect(row?.outOfDomain?.value).toBeCloseTo(-0.15, 9);
  });

  it('leave the balance out where neither suite has right answers', () => {
    const run = text('perplexity', 'perplexity', [[3.2141, 2], [3.2142, 2.5]]);
    expect(found(run).line).toBe('In-domain loss stayed at 3.214; out-of-domain loss rose from 2.000 to 2.500.');
    expect(found(run).detail).not.toContain('95% interval');
    expect(balanceRows([{ run, name: 'RPSFT' }])).toEqual([]);
    expect(found(text('perplexity', 'perplexity', [[3, Number.NaN], [2, Number.NaN]])).line).toBe('In-domain loss fell from 3.000 to 2.000; the out-of-domain loss was not measured.');
  });

  it('are not compared at an equal gain of accuracy', () => {
    const run = text('perplexity', 'exact', [[3, 1], [2, 1]]);
    expect(comparisonSentence(run, { run, name: 'SFT' })).toBe('');
  });

  it('are announced before a run and shown of the base model', () => {
    const run = text('generation', 'perplexity', [[3, 2.5], [2, 1]]);
    expect(found({ ...run, state: 'running', evaluations: run.evaluations.slice(0, 1) }).detail).toContain('The base model: 0.0% in-domain on 200 items, loss 2.500 out-of-domain on 200.');
    const ready = (measures: SuiteMeasures): string => readyFinding(run.config, 'RPSFT', 'a.txt', undefined, measures).detail;
    expect(ready({ inDomain: 'perplexity', outOfDomain: 'choice' })).toContain('; in-domain loss and out-of-domain accuracy are measured every');
    expect(ready({ inDomain: 'perplexity', outOfDomain: 'perplexity' })).toContain('; the loss of both suites is measured every');
  });
});

describe('seeds', () => {
  it('are counted over runs of the same settings', () => {
    expect(seedSentence([madeUpRun()])).toBe('1 seed.');
    expect(seedSentence([madeUpRun(), madeUpRun({ method: 'sft' }), madeUpRun({ method: 'l2sp' })])).toBe(
      '1 seed each: which of the runs is ahead is open.',
    );
    expect(seedSentence([madeUpRun(), madeUpRun({ seed: 2 })])).toBe('2 seeds of one setting.');
    expect(seedSentence([madeUpRun(), madeUpRun({ seed: 2 }), madeUpRun({ method: 'sft' })])).toBe(
      '1 to 2 seeds a setting: which is ahead is open.',
    );
  });
});

describe('groupChanges', () => {
  it('puts the largest loss first', () => {
    const changes = groupChanges(madeUpRun()).map(({ change: { value } }) => value);
    expect(changes.length).toBeGreaterThan(5);
    expect(changes).toEqual([...changes].sort((a, b) => a - b));
  });
});
