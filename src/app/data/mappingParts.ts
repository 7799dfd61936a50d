/** @file The parts that a column can play, in words, and how a choice changes a mapping. */
import type { DatasetColumns } from '../../data/mapping.ts';

export type ColumnPart = keyof DatasetColumns | 'unused';

export const partNames: Readonly<Record<ColumnPart, string>> = {
  prompt: 'Prompt',
  input: 'Further input',
  completion: 'Answer, trained',
  messages: 'Conversation',
  system: 'System turn',
  choices: 'Options',
  right: 'Right option',
  wrong: 'Wrong option',
  generations: 'Answers to choose from',
  verified: 'Which of them are verified',
  answer: 'Gold answer',
  group: 'Group',
  unused: 'Not used',
};

export const columnParts = Object.keys(partNames) as readonly ColumnPart[];

/** The part a column plays now. */
export const partOf = (column: string, mapping: DatasetColumns): ColumnPart => columnParts.find((part) => part !== 'unused' && mapping[part] === column) ?? 'unused';

/** Of these one at least has a column: there has to be something to learn or to ask. */
const BEARING = ['completion', 'messages', 'choices', 'right', 'generations', 'answer'] as const;

/**
 * The mapping after a column was given a part. The column that had the part before takes over what the column gives up, so that the answer
 * is never left without a column; undefined where it would be.
 */
export function withPart(mapping: DatasetColumns, column: string, part: ColumnPart): DatasetColumns | undefined {
  const before = partOf(column, mapping);
  if (before === part) return mapping;
  const displaced = part === 'unused' ? undefined : mapping[part];
  const next: Partial<Record<keyof DatasetColumns, string>> = { ...mapping };
  if (before !== 'unused') {
    if (displaced === undefined) delete next[before];
    else next[before] = displaced;
  }
  if (part !== 'unused') next[part] = column;
  return BEARING.some((bearing) => next[bearing] !== undefined) ? next : undefined;
}
