/** @file What the page says about a dataset before a run: each check in one sentence. Pure, with tests. */
import type { DatasetRole, DatasetSummary } from '../../worker/protocol.ts';
import { formatCount, formatCounted, formatPercent } from '../format.ts';
import { measureInfo } from './measures.ts';
import { roleName } from './roles.ts';

export interface DataCheck {
  readonly verdict: 'ok' | 'warn' | 'bad';
  readonly text: string;
}

/** A row or rows that do something: "1 row is", "2 rows are". */
const rowsAre = (rows: number): string => `${formatCounted(rows, 'row')} ${rows === 1 ? 'is' : 'are'}`;

/** What can be learnt of the rows, or measured by them. */
function contentCheck({ role, tokens, trainedTokens, measure }: DatasetSummary): DataCheck {
  if (trainedTokens > 0) return { verdict: 'ok', text: `${formatCount(trainedTokens)} of ${formatCount(tokens)} tokens are ${role === 'train' ? 'trained' : 'of answers'} (${formatPercent(trainedTokens / tokens)})` };
  if (role === 'train') return { verdict: 'bad', text: 'Every label is masked. No token of these rows would be trained: choose another column as the answer.' };
  return { verdict: 'ok', text: `The rows hold questions and gold answers; they are measured by ${measureInfo(measure).words}` };
}

/** "the 200 held-out or 642 out-of-domain items": the other datasets, with their sizes where they are known. */
function otherSets(overlap: DatasetSummary['overlap'], others: Readonly<Partial<Record<DatasetRole, DatasetSummary>>>): string {
  const roles = Object.keys(overlap) as DatasetRole[];
  return roles.map((role) => [others[role] === undefined ? '' : formatCount(others[role].rows), roleName(role).toLowerCase()].filter(Boolean).join(' ')).join(' or ');
}

/** What it means that two datasets share rows. */
function consequence(own: DatasetRole, other: DatasetRole): string {
  if (own === 'train') return 'what is measured there will look better than it is';
  if (other === 'train') return 'what is measured here will look better than it is';
  return 'gain and loss are partly measured on the same items';
}

/** Share of rows without their end from which a model may not learn to end. */
const manyRows = 0.2;

/** Everything worth knowing, the worst first. `others` are the datasets of all roles. */
export function dataChecks(dataset: DatasetSummary, others: Readonly<Partial<Record<DatasetRole, DatasetSummary>>>, maxLength: number): readonly DataCheck[] {
  const { truncatedRows, rows, duplicates, overlap, longest, warnings } = dataset;
  const checks: DataCheck[] = [contentCheck(dataset)];
  if (truncatedRows > 0) {
    const advice = dataset.role === 'train' && truncatedRows > manyRows * rows ? ': choose a longer length, or the model may not learn to stop' : '';
    checks.push({ verdict: 'warn', text: `${rowsAre(truncatedRows)} longer than ${formatCount(maxLength)} tokens and will be cut off (${formatPercent(truncatedRows / rows)})${advice}` });
  }
  else checks.push({ verdict: 'ok', text: `Nothing is cut off: the longest row has ${formatCount(longest)} of ${formatCount(maxLength)} tokens` });
  if (duplicates > 0) checks.push({ verdict: 'warn', text: `${rowsAre(duplicates)} a copy of another row` });
  else checks.push({ verdict: 'ok', text: 'No row stands here twice' });
  const shared = (Object.entries(overlap) as [DatasetRole, number][]).filter(([, count]) => count > 0);
  for (const [role, count] of shared) {
    checks.push({ verdict: 'warn', text: `${rowsAre(count)} also in the ${roleName(role).toLowerCase()} data: ${consequence(dataset.role, role)}` });
  }
  if (shared.length === 0 && Object.keys(overlap).length > 0) checks.push({ verdict: 'ok', text: `No row is shared with the ${otherSets(overlap, others)} rows` });
  checks.push(...warnings.map((text) => ({ verdict: 'warn' as const, text })));
  const order = { bad: 0, warn: 1, ok: 2 } as const;
  return checks.toSorted((a, b) => order[a.verdict] - order[b.verdict]);
}
