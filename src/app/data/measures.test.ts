/** @file Which measures fit which data. */
import { describe, expect, it } from 'vitest';
import type { DatasetColumns } from '../../data/mapping.ts';
import { measureInfos, measureProblem } from './measures.ts';

const possible = (mapping: DatasetColumns, trainedTokens = 100): readonly string[] => measureInfos.filter(({ measure }) => measureProblem(measure, { mapping, trainedTokens }) === undefined).map(({ measure }) => measure);

describe('measureProblem', () => {
  it('lets questions with answers be generated, compared and scored', () => expect(possible({ prompt: 'q', completion: 'a' })).toEqual(['generation', 'exact', 'perplexity']));
  it('lets conversations be too', () => expect(possible({ messages: 'm' })).toEqual(['generation', 'exact', 'perplexity']));
  it('lets multiple choice be measured in every way', () => expect(possible({ prompt: 'q', choices: 'c', answer: 'a' })).toEqual(['choice', 'generation', 'exact', 'perplexity']));
  it('asks nothing of plain text', () => {
    expect(possible({ completion: 'text' })).toEqual(['perplexity']);
    expect(measureProblem('generation', { mapping: { completion: 'text' }, trainedTokens: 1 })).toBe('The rows are plain text: they ask nothing that could be answered.');
  });
  it('asks nothing of pairs of sentences but which is likelier', () => expect(possible({ right: 'r', wrong: 'w' })).toEqual(['choice', 'perplexity']));
  it('has nothing to compare with where there are gold answers only', () => expect(possible({ prompt: 'q', answer: 'a' }, 0)).toEqual(['generation']));
});
