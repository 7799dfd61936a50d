/** @file The parts that a column can play, in words, and how a choice changes a mapping. Pure functions, with tests. */
import type { DatasetColumns, Role } from '../../data/mapping.ts';
import type { DatasetRole } from '../../worker/protocol.ts';

export type ColumnPart = Role | 'unused';

const names: Readonly<Record<ColumnPart, string>> = {
  prompt: 'Prompt',
  input: 'Further input',
  completion: 'Answer',
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

/** What a part is called; only the answers of training data are trained. */
export const partName = (part: ColumnPart, role: DatasetRole): string => (part === 'completion' && role === 'train' ? 'Answer, trained' : names[part]);

const parts = Object.keys(names) as readonly ColumnPart[];

/** The part a column plays now. */
export const partOf = (column: string, mapping: DatasetColumns): ColumnPart => parts.find((part) => part !== 'unused' && mapping[part] === column) ?? 'unused';

/** What a cell looks like from its first characters: lists and objects are written as JSON. */
const shapes: readonly { readonly looks: RegExp; readonly parts: readonly Role[] }[] = [
  { looks: /^\[\s*\{/u, parts: ['messages', 'prompt', 'completion'] },
  { looks: /^\[\s*(?:true|false|null|[01]\b)/u, parts: ['verified', 'choices'] },
  { looks: /^\[/u, parts: ['choices', 'generations', 'prompt', 'completion'] },
  { looks: /^\{/u, parts: ['choices', 'answer', 'prompt', 'completion'] },
  { looks: /\S/u, parts: ['prompt', 'input', 'completion', 'system', 'right', 'wrong', 'answer', 'group'] },
];

/** The parts that a column can play, by what it holds in the first row; all where that is nothing. The one it plays now is among them. */
export function partsFor(cell: string | undefined, now: ColumnPart): readonly ColumnPart[] {
  const shape = shapes.find(({ looks }) => looks.test(cell ?? ''));
  return parts.filter((part) => part === now || part === 'unused' || shape === undefined || shape.parts.includes(part));
}

/** What is learnt or asked comes from one of these; choosing one lets the columns of the others go. */
const targets: readonly (readonly Role[])[] = [['messages'], ['completion'], ['generations', 'verified'], ['choices'], ['right', 'wrong']];

/** Columns that come with a part where the file has one of these names and nothing plays the part yet. */
const companions: Readonly<Partial<Record<Role, Readonly<Partial<Record<Role, readonly string[]>>>>>> = {
  completion: { prompt: ['prompt', 'problem', 'question', 'instruction', 'query'] },
  generations: { prompt: ['prompt', 'problem', 'question'], verified: ['correctness_math_verify', 'is_correct'] },
};

type Draft = { -readonly [role in Role]?: string };

function addCompanions(mapping: Draft, part: Role, columns: readonly string[]): void {
  for (const [role, wanted] of Object.entries(companions[part] ?? {}) as [Role, readonly string[]][]) {
    const column = columns.find((name) => wanted.includes(name.toLowerCase()) && partOf(name, mapping) === 'unused');
    if (mapping[role] === undefined && column !== undefined) mapping[role] = column;
  }
}

/**
 * The mapping after a column was given a part. A column that had the part before takes over what the column gives up. A conversation is used as it is,
 * so prompt and answer go where one is chosen, and come back by the names of their columns where one is given up. It may lack something: see `lacking`.
 */
export function withPart(mapping: DatasetColumns, column: string, part: ColumnPart, columns: readonly string[] = []): DatasetColumns {
  const before = partOf(column, mapping);
  if (before === part) return mapping;
  const next: Draft = { ...mapping };
  if (before !== 'unused') {
    const displaced = part === 'unused' ? undefined : mapping[part];
    if (displaced === undefined) delete next[before];
    else next[before] = displaced;
  }
  if (part === 'unused') return next;
  next[part] = column;
  if (targets.some((group) => group.includes(part))) for (const role of targets.filter((group) => !group.includes(part)).flat()) delete next[role];
  if (part === 'messages') {
    delete next.prompt;
    delete next.input;
  }
  if (mapping.messages !== undefined && next.messages === undefined) addCompanions(next, part, columns);
  return next;
}

/** What a mapping needs before it can be used, as a sentence; undefined when it is complete. */
export function lacking({ completion, messages, generations, choices, right, wrong, answer }: DatasetColumns, role: DatasetRole): string | undefined {
  if ((right === undefined) !== (wrong === undefined)) return `Choose the column of the ${right === undefined ? 'right' : 'wrong'} option too.`;
  const hasTarget = [completion, messages, generations, choices, right].some((column) => column !== undefined);
  if (hasTarget || (role !== 'train' && answer !== undefined)) return undefined;
  return 'One column has to be the answer. Make another column the answer first.';
}
