/** @file Whether a text answers a question, by the rules that evaluation counts by; for the page, which judges answers as they come in. */
import { extractAnswer } from '../data/gold.ts';
import { isCorrect } from '../evaluation/answer.ts';

/** The final answer in a worked solution; all of a text that holds none. */
export const finalAnswer = (text: string): string => extractAnswer(text) ?? text.trim();

/** Whether a text comes to the answer that another one comes to. */
export const comesToSame = (said: string, expected: string): boolean => isCorrect(said, finalAnswer(expected));
