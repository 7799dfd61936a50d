/** @file The tokenizer that ships with the page: digits one by one, and every text comes back. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from './tokenizer.ts';

const readJson = (name: string): Record<string, unknown> => JSON.parse(readFileSync(new URL(`../../public/model/${name}`, import.meta.url), 'utf8')) as Record<string, unknown>;
const tokenizer = loadTokenizer(readJson('tokenizer.json'), readJson('tokenizer_config.json'), readJson('generation_config.json'));

describe('the built-in tokenizer', () => {
  it('gives back any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  it('has one token a digit', () => {
    expect(tokenizer.encode('1873').map((id) => tokenizer.tokenText(id))).toEqual(['1', '8', '7', '3']);
  });

  it('ends a text with the token that config.json names', () => {
    expect(tokenizer.eosTokenIds).toEqual([readJson('config.json')['eos_token_id']]);
  });
});
