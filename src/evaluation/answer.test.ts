import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { answersEqual, isCorrect, parseNumber } from './answer.ts';

describe('isCorrect', () => {
  it.each<[string, string, boolean]>([
    ['Natalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May.\n#### 72', '72', true],
    ['Natalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May.\n#### 71', '72', false],
    ['He earns 0.2 x 50 = $10.\n#### $10.00', '10', true],
    ['The total is 1,200.', '1200', true],
    ['Therefore, the graph has $\\boxed{2}$ vertical asymptotes.', '2', true],
    ['$\\boxed{\\left( 3, \\frac{\\pi}{2} \\right)}.$', '(3,\\frac{\\pi}{2})', true],
    ['$\\boxed{\\dfrac{14}{3}}$', '\\frac{14}{3}', true],
    ['so \\boxed{90^\\circ}', '90', true],
    ['I do not know.', '5', false],
  ])('%s against %s: %s', (generated, gold, expected) => {
    expect(isCorrect(generated, gold)).toBe(expected);
  });
});

describe('answersEqual', () => {
  it.each([
    ['0.5', '\\frac{1}{2}'], ['1/2', '.5'], ['-\\frac{1}{2}', '-0.5'], ['\\frac{-1}{2}', '-1/2'], ['\\frac12', '0.5'], ['50\\%', '50'], ['\\$18', '18'],
    ['1,234.50', '1234.5'], ['72.', '72.0'], ['576', '576.0'], ['1e3', '1000'], ['0.33333', '1/3'], ['−3', '-3'], ['+3', '3'],
    ['\\text{Evelyn}', 'Evelyn'], ['\\text{(A)}', '(a)'], ['x=5', '5'], ['11\\sqrt2', '11\\sqrt{2}'], ['6 - 5i', '6-5i'], ['12\\text{ cm}', '12'],
    ['1,-2', '1, -2'], ['3, 5, 7', '3,5,7'], ['10\\,000', '10000'], ['\\mathrm{east}', 'east'],
  ])('%s = %s', (a, b) => {
    expect(answersEqual(a, b)).toBe(true);
    expect(answersEqual(b, a)).toBe(true);
  });

  it.each([
    ['72', '73'], ['1,2', '12'], ['(1,2)', '(2,1)'], ['0', '0.0001'], ['52_8', '528'], ['1/0', '1/1'], ['\\sqrt{51}', '51'], ['Evelyn', 'Angela'], ['2\\pi', '\\pi'], ['', '0'],
  ])('%s is not %s', (a, b) => {
    expect(answersEqual(a, b)).toBe(false);
  });

  it('takes the tolerance relative to the larger of the two', () => {
    expect(answersEqual('10000', '10000.9')).toBe(true);
    expect(answersEqual('10000', '10002')).toBe(false);
    expect(parseNumber('two')).toBeUndefined();
  });
});

const data = new URL('../../../shared/data/', import.meta.url);
if (existsSync(new URL('math/math500.jsonl', data))) {
  const rows = (path: string): Record<string, string>[] => readFileSync(new URL(path, data), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Record<string, string>);

  describe('real solutions reach their own gold answers', () => {
    it('MATH-500', () => {
      const missed = rows('math/math500.jsonl').filter(({ solution, answer }) => !isCorrect(solution!, answer!)).map(({ unique_id: id }) => id);
      expect(missed).toEqual([]);
    });

    it('GSM8K, and never the answer of the next row unless they are the same number', () => {
      const solutions = rows('gsm8k/test.jsonl').map(({ answer }) => answer!);
      const gold = solutions.map((solution) => solution.split('#### ')[1]!.trim());
      expect(solutions.filter((solution, i) => !isCorrect(solution, gold[i]!))).toEqual([]);
      expect(gold.filter((text) => parseNumber(text) === undefined)).toEqual([]);
      for (let i = 1; i < gold.length; i++) if (isCorrect(solutions[i - 1]!, gold[i]!)) expect(parseNumber(gold[i - 1]!)).toBe(parseNumber(gold[i]!));
    });
  });
}
