/** @file Answers of the playground as data: what was asked, what each model said, where they part. Pure functions, with tests. */
import type { DecodeProgress } from '../../engine.ts';
import type { RunId, SamplingOptions, StreamEvent } from '../../worker/protocol.ts';
import { comesToSame, finalAnswer } from '../../worker/verdict.ts';

/** The base model or a run with weights. */
export type Column = 'base' | RunId;

export interface AnswerToken {
  readonly id: number;
  readonly text: string;
  /** Probability that this token had, in [0, 1]. */
  readonly probability: number;
}

export interface Answer {
  readonly column: Column;
  /** Name of the column when it was asked: a run may be renamed by new runs, or removed, later. */
  readonly name: string;
  readonly tokens: readonly AnswerToken[];
  /** How far it has come, prompt included; undefined before the first report. */
  readonly progress?: DecodeProgress | undefined;
  /** Undefined while it streams. */
  readonly ended: Extract<StreamEvent, { type: 'done' }>['reason'] | undefined;
}

/** Where a prompt was taken from, and what the file answers. */
export interface Source {
  readonly role: 'heldOut' | 'outOfDomain';
  readonly expected: string | undefined;
  /** What counts is the answer that a text comes to, not its words. */
  readonly worked: boolean;
}

/** One prompt and the answers to it. */
export interface Trial {
  readonly id: number;
  readonly prompt: string;
  /** Undefined for a prompt that was typed. */
  readonly source: Source | undefined;
  readonly answers: readonly Answer[];
  readonly problem: string | undefined;
}

export const defaultSampling: SamplingOptions = { maxNewTokens: 80, temperature: 0, topK: 0, topP: 1, seed: 1 };

/** The answers after some events of the stream; an event names its column by place. */
export function withStream(answers: readonly Answer[], events: readonly StreamEvent[]): readonly Answer[] {
  return answers.map((answer, place) => {
    const own = events.filter(({ column }) => column === place);
    if (own.length === 0) return answer;
    const tokens = own.flatMap((event) => (event.type === 'token' ? [{ id: event.id, text: event.text, probability: event.probability }] : []));
    const ended = own.find((event) => event.type === 'done')?.reason ?? answer.ended;
    const progress = own.findLast((event) => event.type === 'progress')?.progress ?? answer.progress;
    return { ...answer, tokens: [...answer.tokens, ...tokens], progress, ended };
  });
}

export type Mark = 'same' | 'first' | 'later';

/**
 * How each token stands against a reference answer at the same place: the first that differs, later ones that differ, or the same.
 * While the reference is still streaming, what it has not reached counts as the same.
 */
export function marksAgainst({ tokens }: Answer, reference: Answer): readonly Mark[] {
  const end = reference.ended === undefined ? reference.tokens.length : Infinity;
  const differs = tokens.map(({ id }, place) => place < end && reference.tokens[place]?.id !== id);
  const first = differs.indexOf(true);
  return differs.map((differing, place) => (!differing ? 'same' : place === first ? 'first' : 'later'));
}

/** Mean probability of the tokens, or undefined before the first. */
export const meanProbability = ({ tokens }: Answer): number | undefined =>
  tokens.length === 0 ? undefined : tokens.reduce((sum, { probability }) => sum + probability, 0) / tokens.length;

/** The part of an expected text that counts: after the mark #### where there is one, what a worked solution comes to. */
export const expectedAnswer = ({ expected = '', worked }: Source): string => (worked ? finalAnswer(expected) : (expected.split('####').at(-1) ?? expected).trim());

/** What counts of an answer: after the mark #### where there is one, without spaces at the ends, without regard to case. */
const essence = (text: string): string => (text.split('####').at(-1) ?? text).trim().replace(/\s+/g, ' ').toLowerCase().replace(/\.$/, '');

/** Whether a complete answer says what was expected; undefined while that cannot be said. */
export function isRight({ tokens, ended }: Answer, source: Source | undefined): boolean | undefined {
  if (source?.expected === undefined || ended === undefined) return undefined;
  const said = tokens.map(({ text }) => text).join('');
  return essence(said) === essence(source.expected) || (source.worked && comesToSame(said, source.expected));
}
