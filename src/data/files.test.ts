/** @file Real files of the shared data, where they are: what each is taken for, how many rows it has, and its first example. */
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importDataset } from './dataset.ts';
import type { Dataset, ImportOptions } from './dataset.ts';
import type { Example } from './examples.ts';
import type { DatasetKind } from './recognise.ts';

const data = new URL('../../../shared/data/', import.meta.url);
const load = (path: string, options?: ImportOptions): Promise<Dataset> => importDataset(new File([Uint8Array.from(readFileSync(new URL(path, data)))], basename(path)), options);

const like = (pattern: RegExp): unknown => expect.stringMatching(pattern);
const including = (text: string): unknown => expect.stringContaining(text);
const natalia = { question: like(/^Natalia sold clips/u), answer: '72' };
const janet = { question: like(/^Janet’s ducks/u), answer: '18' };
const evaluation = { purpose: 'evaluation' } as const;
type Expected = { readonly [part in keyof Example]?: unknown };

const TABLE: readonly [path: string, kind: DatasetKind, examples: number, first: Expected, options?: ImportOptions][] = [
  ['gsm8k/train.jsonl', 'gsm8k', 7473, natalia],
  ['gsm8k/test.jsonl', 'gsm8k', 1319, janet],
  ['gsm8k-formats/gsm8k_test.csv', 'gsm8k', 1319, janet],
  ['gsm8k-formats/gsm8k_test.snappy.parquet', 'gsm8k', 1319, janet],
  ['gsm8k-formats/gsm8k_train_first1000.gzip-4rowgroups.parquet', 'gsm8k', 1000, natalia],
  ['gsm8k-formats/gsm8k_train_first1000.zstd-v2pages.parquet', 'gsm8k', 1000, natalia],
  ['gsm8k-formats/gsm8k_train_first250.uncompressed-plain.parquet', 'gsm8k', 250, natalia],
  ['gsm8k-formats/gsm8k_train_first200.crlf-bom.csv', 'gsm8k', 200, natalia],
  ['gsm8k-formats/gsm8k_train_first200.tsv', 'gsm8k', 200, natalia],
  ['gsm8k-formats/gsm8k_train_first500.alpaca.json', 'alpaca', 500, natalia],
  ['gsm8k-formats/gsm8k_train_first500.sharegpt.json', 'sharegpt', 500, { ...natalia, segments: [], messages: [{ role: 'user', content: natalia.question }, { role: 'assistant', content: including('#### 72') }] }],
  ['gsm8k-formats/gsm8k_train_first500.messages.snappy.parquet', 'messages', 500, { ...natalia, messages: expect.arrayContaining([{ role: 'user', content: natalia.question }]) as unknown }],
  ['gsm8k-formats/gsm8k_train_first500.openr1-messages.jsonl', 'openr1-math', 500, { ...natalia, messages: [{ role: 'user', content: natalia.question }, { role: 'assistant', content: like(/^<think>/u) }] }],
  ['gsm8k-formats/gsm8k_train_first500.openr1-messages.jsonl', 'openr1-math', 500, { ...natalia, segments: [{ text: like(/May\?\n$/u), trained: false }, { text: including('#### 72'), trained: true }] }, { take: 'solution' }],
  ['gsm8k-formats/llm-adapters_gsm8k_test.alpaca.json', 'alpaca', 1313, { question: like(/^Mr Boarden/u), answer: '576.0' }],
  ['math/test.jsonl', 'math', 5000, { answer: '2', group: 'Algebra' }],
  ['math/math500.jsonl', 'math', 500, { answer: String.raw`\left( 3, \frac{\pi}{2} \right)`, group: 'Precalculus' }],
  ['math/tora_messages_examples.jsonl', 'messages', 30, { answer: '2', group: 'tora-corpus-math', segments: [] }],
  ['mawps/addsub.jsonl', 'question-answer', 395, { answer: '43' }],
  ['mawps/multiarith.jsonl', 'question-answer', 600, {}],
  ['mawps/singleeq.jsonl', 'question-answer', 508, {}],
  ['mawps/singleop.jsonl', 'question-answer', 562, {}],
  ['metamath/gsm8k_backward_first500.jsonl', 'question-answer', 500, { answer: '80000' }],
  ['rpsft-eval/id/math500.jsonl', 'verl', 500, { answer: String.raw`\left( 3, \frac{\pi}{2} \right)`, question: like(/^Convert the point/u), segments: [], messages: [{ role: 'system', content: like(/./u) }, { role: 'user', content: like(/./u) }] }, evaluation],
  ['rpsft-eval/ood/arc_c.jsonl', 'verl', 1172, { answer: 'C', group: 'ARC-C' }, evaluation],
  ['rpsft-eval/ood/arc_c_test.jsonl', 'verl', 50, { answer: 'C' }, evaluation],
  ['rpsft-eval/ood/commonsenseqa.jsonl', 'verl', 1221, { answer: 'A' }, evaluation],
  ['rpsft-eval/ood/commonsenseqa_test.jsonl', 'verl', 52, { answer: 'A' }, evaluation],
  ['rpsft-eval/ood/ifeval_loose.jsonl', 'verl', 541, { answer: undefined }, evaluation],
  ['rpsft-eval/ood/ifeval_loose_test.jsonl', 'verl', 30, { answer: undefined }, evaluation],
  ['rpsft-eval/ood/mmlu_pro.jsonl', 'verl', 70, { answer: 'A' }, evaluation],
  ['rpsft-eval/ood/truthful_qa_mc.jsonl', 'verl', 684, { answer: 'C' }, evaluation],
  ['rpsft-eval/ood/truthful_qa_mc_test.jsonl', 'verl', 52, { answer: 'C' }, evaluation],
  ['ood-truthfulqa/TruthfulQA.csv', 'multiple-choice', 790, {
    question: 'What happens to you if you eat watermelon seeds?', answer: 'A', group: 'Misconceptions',
    choices: { options: ['The watermelon seeds pass through your digestive system', 'You grow watermelons in your stomach'], answer: 0 },
  }],
  ['ood-blimp/blimp_first50_of_each_paradigm.jsonl', 'sentence-pairs', 3350, {
    question: '', group: 'adjunct_island', choices: { options: ['Who should Derek hug after shocking Richard?', 'Who should Derek hug Richard after shocking?'], answer: 0 },
    segments: [{ text: 'Who should Derek hug after shocking Richard?', trained: true }],
  }],
  ['ood-mmlu/mmlu_stem_first25_of_each_subject.jsonl', 'multiple-choice', 450, { answer: 'C', group: 'college_biology', choices: { options: expect.any(Array) as unknown, answer: 2 } }],
  ['text/tinyshakespeare.txt', 'text', 7222, { segments: [{ text: like(/^First Citizen:\n/u), trained: true }] }],
  ['text/gutenberg_meditations.txt', 'text', 799, { question: '' }],
  ['text/tinystories_excerpt.txt', 'text', 1230, { segments: [{ text: like(/^One day, a little girl/u), trained: true }] }],
];

describe('files of the page', () => {
  it.each([['demo-train.jsonl', 'gsm8k', 2000], ['demo-heldout.jsonl', 'gsm8k', 200], ['ood.jsonl', 'question-answer', 930]] as const)('%s is %s with %i examples', async (name, kind, count) => {
    const file = new File([Uint8Array.from(readFileSync(new URL(`../../public/data/${name}`, import.meta.url)))], name);
    const dataset = await importDataset(file);
    expect([dataset.kind, dataset.examples.length, dataset.answered, dataset.problems]).toEqual([kind, count, kind === 'gsm8k' ? count : expect.any(Number), []]);
  });
});

if (existsSync(data)) {
  describe('real files', () => {
    it.each(TABLE)('%s is %s with %i examples', async (path, kind, count, first, options) => {
      const dataset = await load(path, options);
      expect([dataset.kind, dataset.examples.length]).toEqual([kind, count]);
      expect(dataset.problems.map(({ what }) => what)).toEqual(dataset.emptyRows === 0 ? [] : ['rows without a completion were left out: 6 of 1,319']);
      expect(await dataset.examples.at(0)).toMatchObject({ row: 1, ...first });
      expect(dataset.withChoices).toBe(kind === 'multiple-choice' || kind === 'sentence-pairs' ? count : 0);
      const isUnanswered = kind === 'text' || kind === 'sentence-pairs' || path.includes('ifeval');
      expect(dataset.answered).toBe(isUnanswered ? 0 : count);
    });

    it('gives the same examples from every container', async () => {
      const jsonl = await (await load('gsm8k/train.jsonl')).examples.read(0, 1000);
      for (const name of ['first200.crlf-bom.csv', 'first200.tsv', 'first500.alpaca.json', 'first1000.gzip-4rowgroups.parquet', 'first1000.zstd-v2pages.parquet', 'first250.uncompressed-plain.parquet']) {
        const examples = await (await load(`gsm8k-formats/gsm8k_train_${name}`)).examples.read();
        expect(examples).toEqual(jsonl.slice(0, examples.length));
      }
    });

    it('reads the gold answers of MATH-500 out of its solutions', async () => {
      const solutions = await (await load('math/math500.jsonl', { mapping: { prompt: 'problem', completion: 'solution' } })).examples.read();
      const gold = await (await load('math/math500.jsonl')).examples.read();
      expect(solutions.filter(({ answer }, i) => answer !== gold[i]!.answer).length).toBeLessThan(10);
    });

    it('finds MATH-500 in the test split of MATH, in either layout', async () => {
      const { fingerprints } = await load('math/test.jsonl');
      const { fingerprints: plain } = await load('math/math500.jsonl');
      const { fingerprints: verl } = await load('rpsft-eval/id/math500.jsonl', evaluation);
      expect([plain, verl].map((each) => each.alsoIn(fingerprints).length)).toEqual([500, 500]);
    });

    it('refuses to learn from rows that are for evaluation', async () => {
      await expect(load('rpsft-eval/id/math500.jsonl')).rejects.toThrow(
        'math500.jsonl: The rows hold questions and their answers, but no completion to learn from. Its columns: solution, subject, level, unique_id, data_source, prompt, ability, reward_model, extra_info. Use the file as held-out',
      );
    });

    it('reads GSM8K in less than half a second of processor time', async () => {
      await load('gsm8k/train.jsonl');
      const before = process.cpuUsage();
      await load('gsm8k/train.jsonl');
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1000).toBeLessThan(500);
    });
  });
}
