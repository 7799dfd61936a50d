import { describe, expect, it } from 'vitest';
import { plainText } from '../charts/Phrases.tsx';
import type { LabRun } from '../runs.ts';
import { compare } from './comparison.ts';
import { comparisonFinding } from './findings.ts';
import { groupRuns } from './groups.ts';
import { runOf } from './testing.ts';

/** Seeds of one method whose end differs by `spread` from one to the next. */
const seeds = (method: 'sft' | 'rpsft' | 'l2sp', count: number, end: readonly [number, number], spread = 0.01): readonly LabRun[] =>
  Array.from({ length: count }, (_, index) => runOf({ method, seed: index + 1, lambda: method === 'sft' ? 0 : 1 }, [[0, 0.95], [end[0], end[1] - index * spread]]));

const finding = (runs: readonly LabRun[]): { readonly line: string; readonly detail: string } => {
  const { line, detail } = comparisonFinding(compare(groupRuns(runs)), true);
  return { line: plainText(line), detail };
};

describe('comparisonFinding', () => {
  it('tells what each method keeps at equal gain, the best first', () => {
    const { line } = finding([...seeds('sft', 3, [0.9, 0.6]), ...seeds('rpsft', 3, [0.9, 0.8])]);
    // At 90% of the gain each seed has lost 90% of what it loses: 0.95 - 0.9 * 0.16 and 0.95 - 0.9 * 0.36 in the mean.
    expect(line).toBe('At 81% in-domain, RPSFT keeps 80.6% out-of-domain, SFT 62.6%.');
  });

  it('says who is ahead only where ranges over seeds are apart', () => {
    expect(finding([...seeds('sft', 3, [0.9, 0.6]), ...seeds('rpsft', 3, [0.9, 0.8])]).detail).toContain('RPSFT is ahead at this level.');
    const close = finding([...seeds('sft', 3, [0.9, 0.79]), ...seeds('rpsft', 3, [0.9, 0.8])]).detail;
    expect(close).toContain('so which of the two is ahead is open.');
    expect(close).not.toContain('Add seeds');
  });

  it('says so where another method is ahead of RPSFT', () => {
    const { line, detail } = finding([...seeds('rpsft', 2, [0.9, 0.5]), ...seeds('l2sp', 2, [0.9, 0.8])]);
    expect(line).toMatch(/L2-SP keeps .* RPSFT/);
    expect(detail).toContain('L2-SP is ahead at this level.');
  });

  it('leaves the order open with one seed, and says what is missing', () => {
    const { detail } = finding([...seeds('rpsft', 1, [0.9, 0.8]), ...seeds('sft', 3, [0.9, 0.2])]);
    expect(detail).toContain('RPSFT has 1 seed, so which of the two is ahead is open. Add seeds to the queue.');
  });

  it('gives advice only where it can be followed', () => {
    const runs = [...seeds('rpsft', 1, [0.9, 0.8]), ...seeds('sft', 1, [0.9, 0.2])];
    expect(finding(runs).detail).toContain('RPSFT and SFT have 1 seed each, so which of the two is ahead is open. Add seeds to the queue.');
    expect(comparisonFinding(compare(groupRuns(runs))).detail).not.toContain('queue');
  });

  it('counts seeds that do not get there', () => {
    const slow = runOf({ method: 'rpsft', seed: 9, lambda: 1 }, [[0, 0.95], [0.2, 0.94]]);
    const { detail } = finding([...seeds('rpsft', 2, [0.9, 0.8]), slow, ...seeds('sft', 3, [0.9, 0.6])]);
    expect(detail).toContain('RPSFT reaches this level in 2 of 3, so which of the two is ahead is open.');
  });

  it('speaks of the highest level that every seed of the best two reaches, where there is one', () => {
    const slow = runOf({ method: 'rpsft', seed: 9, lambda: 1 }, [[0, 0.95], [0.8, 0.79]]);
    const { line, detail } = finding([...seeds('rpsft', 2, [1, 0.8]), slow, ...seeds('sft', 3, [1, 0.6])]);
    expect(line).toMatch(/^At 80% in-domain, RPSFT keeps/);
    expect(detail).toContain('RPSFT is ahead at this level.');
  });

  it('names methods that never get there, at the highest level that two methods reach', () => {
    const { line, detail } = finding([...seeds('sft', 2, [0.9, 0.5]), ...seeds('rpsft', 2, [0.75, 0.8]), ...seeds('l2sp', 2, [0.1, 0.94])]);
    expect(line).toMatch(/^At 72% in-domain, RPSFT keeps/);
    expect(detail).toContain('L2-SP does not reach this level.');
  });

  it('takes the best of each method, and the settings of one method where there is only one', () => {
    const weak = runOf({ method: 'rpsft', lambda: 0.1 }, [[0, 0.95], [0.9, 0.4]]);
    const both = finding([...seeds('rpsft', 2, [0.9, 0.8]), weak, ...seeds('sft', 2, [0.9, 0.5])]);
    expect(both.line).not.toContain('λ');
    expect(both.detail).toContain('5 runs in 3 groups, the best of each method.');
    expect(finding([...seeds('rpsft', 2, [0.9, 0.8]), weak]).line).toMatch(/RPSFT λ 1 keeps .*, RPSFT λ 0\.1 /);
  });

  it('has a sentence for nothing, for no gain and for runs of other data', () => {
    expect(finding([]).line).toBe('No run has been measured yet.');
    expect(finding(seeds('sft', 1, [0, 0.9])).line).toBe('No run has gained in-domain, so there is nothing to hold equal yet.');
    const other = { ...seeds('sft', 1, [0.9, 0.9])[0]!, id: 'other', model: 'Another model' };
    expect(finding([...seeds('rpsft', 2, [0.9, 0.8]), ...seeds('sft', 2, [0.9, 0.5]), other]).detail).toContain('1 group was measured on other data or another model and stays out of the comparison.');
    const plain = { ...seeds('sft', 1, [0.9, 0.9])[0]!, measures: { inDomain: 'perplexity', outOfDomain: 'perplexity' } } as const;
    expect(finding([plain]).line).toBe('The runs here cannot be compared by accuracy.');
  });

  it('leaves out runs that are not ticked, and failed ones', () => {
    const hidden = seeds('sft', 2, [0.9, 0.5]).map((run) => ({ ...run, visible: false }));
    const failed = runOf({ method: 'l2sp', lambda: 1 }, [[0, 0.95], [0.9, 0.9]], { state: 'failed' });
    const { line } = finding([...seeds('rpsft', 2, [0.9, 0.8]), ...hidden, failed]);
    expect(line).not.toMatch(/SFT [0-9]|L2-SP/);
    expect(compare(groupRuns([...seeds('rpsft', 2, [0.9, 0.8]), ...hidden])).faint.map(({ group }) => group.name)).toEqual(['SFT']);
  });
});
