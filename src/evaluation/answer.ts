/**
 * @file Whether a generated solution reaches the gold answer: extraction, then numeric equality to a relative 1e-4, else equality of normalised text.
 * The normalisation follows that of the MATH benchmark (hendrycks/math, math_equivalence.py). Evaluation and the reward of RL share it.
 */
import { extractAnswer } from '../data/gold.ts';

const RELATIVE_TOLERANCE = 1e-4;

/** @param generated a whole completion. @param gold the final answer alone. */
export function isCorrect(generated: string, gold: string): boolean {
  const answer = extractAnswer(generated);
  return answer !== undefined && answersEqual(answer, gold);
}

/** Two final answers, however they are written: "1,200" and "$1200", "\frac{1}{2}" and "0.5", "\text{(A)}" and "(A)". */
export function answersEqual(a: string, b: string): boolean {
  const [numberA, numberB] = [parseNumber(a), parseNumber(b)];
  if (numberA !== undefined && numberB !== undefined) {
    return Math.abs(numberA - numberB) <= RELATIVE_TOLERANCE * Math.max(Math.abs(numberA), Math.abs(numberB));
  }
  return normaliseAnswer(a) === normaliseAnswer(b);
}

/** Thousands commas, $, %, a/b and \frac{a}{b} included; undefined where the text is not one number. A percentage is its number: 50% is 50. */
export function parseNumber(answer: string): number | undefined {
  const text = normaliseAnswer(answer).replace(/^\+/u, '');
  const fraction = /^(-?)\\frac\{(-?[\d.,]+)\}\{(-?[\d.,]+)\}$/u.exec(text) ?? /^(-?)([\d.,]+)\/(-?[\d.,]+)$/u.exec(text);
  if (fraction === null) return parseDecimal(text);
  const [numerator, denominator] = [parseDecimal(fraction[2]!), parseDecimal(fraction[3]!)];
  if (numerator === undefined || denominator === undefined || denominator === 0) return undefined;
  return ((fraction[1] === '-' ? -1 : 1) * numerator) / denominator;
}

/** "1,200" is a number, "1,2" a pair. */
function parseDecimal(text: string): number | undefined {
  const isNumber = /^-?(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d*)?(?:[eE][+-]?\d+)?$/u.test(text) && /\d/u.test(text);
  return isNumber ? Number(text.replaceAll(',', '')) : undefined;
}

/** Each is one way of writing that changes nothing about the value. */
const REWRITES: readonly (readonly [RegExp, string])[] = [
  [/\\(?:left|right|displaystyle|!|,|;|:|quad)(?![a-zA-Z])/gu, ''],
  [/\\[dt]frac/gu, '\\frac'],
  [/\^\{?\\circ\}?|\\degree|°/gu, ''],
  [/\\?[$%]/gu, ''],
  // Units after the number, then words that are the answer.
  [/(?<=\S\s*)\\(?:text|mbox)\{\s[^{}]*\}$/u, ''],
  [/\\(?:text|textbf|textrm|mathrm|mathbf|mbox)\{([^{}]*)\}/gu, '$1'],
  [/\\frac(\d)(\d)/gu, '\\frac{$1}{$2}'],
  [/\\frac(\d)\{/gu, '\\frac{$1}{'],
  [/\\frac\{([^{}]*)\}(\d)/gu, '\\frac{$1}{$2}'],
  [/\\sqrt(\w)/gu, '\\sqrt{$1}'],
  [/−/gu, '-'],
  [/\s+|\\(?=\s)/gu, ''],
  [/[.\\]+$/u, ''],
  [/^[a-zA-Z]=/u, ''],
  [/(?<!\d)\.(?=\d)/gu, '0.'],
];

function normaliseAnswer(answer: string): string {
  return REWRITES.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), answer.trim()).toLowerCase();
}
