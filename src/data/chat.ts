/**
 * @file Conversations become segments of text with the assistant's turns trained, by rendering prefixes: what the template writes before a turn
 * (the messages before it, and its generation prompt) is given, what it writes from there to the end of the turn is learnt, end-of-turn token
 * included. The template alone decides where that is; no marker is searched for.
 *
 * Some templates write a turn otherwise once others follow: Qwen3's drops the thinking of earlier answers. Such an earlier turn is not trained, it
 * is context, as it will be when the model is asked. The last turn is trained always, from the rendering of the whole, or the row is refused.
 */
import type { ChatMessage } from '../formats/chatMessage.ts';
import { chatTemplateOf } from '../formats/chatTemplate.ts';
import type { ChatTemplate } from '../formats/chatTemplate.ts';
import { FormatError } from '../formats/formatError.ts';
import type { Tokenizer } from '../formats/tokenizer.ts';
import type { Example, Segment } from './examples.ts';
import { DataProblem } from './problem.ts';

/** Stands in where conversations come to a model without a chat template. */
export const FALLBACK_TEMPLATE = chatTemplateOf({});

/** Where a conversation was read, for errors. */
export interface Place {
  readonly file: string;
  readonly row: number;
}

/** Where an assistant's turn begins and ends in the rendered text. */
interface Span {
  readonly turn: number;
  readonly start: number;
  readonly end: number;
}

/** The conversation that an example is under a chat template; undefined for plain text. A prompt and its completion are two turns. */
export function conversationOf({ messages, segments, question }: Example): readonly ChatMessage[] | undefined {
  if (messages !== undefined) return messages;
  if (question === '') return undefined;
  const text = (trained: boolean): string => segments.filter((segment) => segment.trained === trained).map((segment) => segment.text).join('');
  // The line break belongs to the plain form.
  const user = { role: 'user', content: text(false).replace(/\n$/u, '') };
  return segments.some(({ trained }) => trained) ? [user, { role: 'assistant', content: text(true) }] : [user];
}

/** What comes before the assistant's last turn, which is what an evaluation asks; the whole where it has none. */
export function askedOf(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const last = messages.findLastIndex(({ role }) => role === 'assistant');
  return last < 0 ? messages : messages.slice(0, last);
}

/**
 * The text of a conversation, cut at the edges of the assistant's turns. What follows the last of them is left out: nothing is learnt from it.
 * @param firstTrained turns before this one are given, whoever says them.
 * @throws DataProblem naming row and turn, where the template refuses the conversation or does not write the last turn as it opens it.
 */
export function chatSegments(messages: readonly ChatMessage[], template: ChatTemplate, place: Place, firstTrained = 0): Segment[] {
  const last = messages.findLastIndex(({ role }) => role === 'assistant');
  const kept = last < 0 ? messages : messages.slice(0, last + 1);
  const text = renderWhole(kept, template, place);
  const spans = spansIn(text, kept, template);
  if (last >= 0 && spans.at(-1)?.turn !== last) throw brokenPrefix(text, kept, template, place);
  return cutAt(text, spans, firstTrained);
}

/**
 * Ids of a conversation up to where the model is to go on: token for token what stands before that turn in training.
 * @throws FormatError where the template refuses the conversation
 */
export function encodeChat(messages: readonly ChatMessage[], tokenizer: Tokenizer, template: ChatTemplate): number[] {
  const text = template.render(messages, { addGenerationPrompt: true });
  return encodeSegments(cutAt(text, spansIn(text, messages, template), 0), tokenizer).flatMap(({ ids }) => ids);
}

/** Each segment on its own, so that no token lies across an edge. The template writes the special tokens itself. */
export function encodeSegments(segments: readonly Segment[], tokenizer: Tokenizer): { ids: number[]; trained: boolean }[] {
  return segments.map(({ text, trained }, i) => ({ ids: tokenizer.encode(text, { continues: i > 0 }), trained }));
}

/**
 * A sentence for the user where a template writes earlier answers otherwise than the last, so that of several turns only the last is trained;
 * undefined where every turn is.
 */
export function earlierTurnsWarning(template: ChatTemplate): string | undefined {
  const [user, assistant] = [{ role: 'user', content: 'u' }, { role: 'assistant', content: 'a' }];
  const messages = [user, assistant, user, assistant];
  const text = attempt(() => template.render(messages, { addGenerationPrompt: false }));
  if (text === undefined || spansIn(text, messages, template).length === 2) return undefined;
  return `The chat template (${template.origin}) writes earlier answers otherwise than the last one: in conversations of several turns the last is trained, the earlier ones are context.`;
}

/** The assistant's turns whose text can be told: the template opens them with a prefix of the text, and closes them with a longer one. */
function spansIn(text: string, messages: readonly ChatMessage[], template: ChatTemplate): Span[] {
  const spans: Span[] = [];
  let done = 0;
  for (const [turn, { role }] of messages.entries()) {
    if (role !== 'assistant') continue;
    const opened = attempt(() => template.render(messages.slice(0, turn), { addGenerationPrompt: true }));
    if (opened === undefined || opened.length < done || !text.startsWith(opened)) continue;
    const isWhole = turn === messages.length - 1;
    const closed = isWhole ? text : attempt(() => template.render(messages.slice(0, turn + 1), { addGenerationPrompt: false }));
    if (closed === undefined || closed.length <= opened.length || !text.startsWith(closed)) continue;
    spans.push({ turn, start: opened.length, end: closed.length });
    done = closed.length;
  }
  return spans;
}

function cutAt(text: string, spans: readonly Span[], firstTrained: number): Segment[] {
  const segments: Segment[] = [];
  let done = 0;
  for (const { turn, start, end } of spans) {
    if (start > done) segments.push({ text: text.slice(done, start), trained: false });
    segments.push({ text: text.slice(start, end), trained: turn >= firstTrained });
    done = end;
  }
  if (done < text.length) segments.push({ text: text.slice(done), trained: false });
  return segments;
}

function renderWhole(messages: readonly ChatMessage[], template: ChatTemplate, { file, row }: Place): string {
  try {
    return template.render(messages, { addGenerationPrompt: false });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new DataProblem({
      file,
      row,
      what: `the chat template (${template.origin}) refuses the conversation of ${messages.length} turns (${messages.map(({ role }) => role).join(', ')}): ${error.what}`,
      stillHolds: 'The other rows are not concerned.',
      suggestion: 'Change the order of the roles in this row, or choose the plain form.',
    });
  }
}

const EXCERPT = 40;

function brokenPrefix(text: string, messages: readonly ChatMessage[], template: ChatTemplate, { file, row }: Place): DataProblem {
  const opened = attempt(() => template.render(messages.slice(0, -1), { addGenerationPrompt: true }));
  const same = (opened ?? '').split('').findIndex((unit, i) => unit !== text[i]);
  const excerpt = (from: string): string => JSON.stringify(from.slice(same, same + EXCERPT));
  const how = opened === undefined
    ? 'cannot open it without the turn itself'
    : same < 0 ? 'writes nothing for it' : `opens it with ${excerpt(opened)} and then writes it as ${excerpt(text)}`;
  return new DataProblem({
    file,
    row,
    what: `turn ${messages.length}, the assistant's, cannot be told from what comes before: the chat template (${template.origin}) ${how}`,
    stillHolds: 'The other rows are not concerned.',
    suggestion: 'Choose the plain form, or a template that writes a turn as its generation prompt opens it.',
  });
}

/** Templates may refuse a part of a conversation of which they take the whole. */
function attempt(render: () => string): string | undefined {
  try {
    return render();
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
