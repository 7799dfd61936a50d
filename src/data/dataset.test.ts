import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { importDataset } from './dataset.ts';
import type { ImportOptions } from './dataset.ts';
import type { Example } from './examples.ts';
import { DataProblem } from './problem.ts';

const fileOf = (name: string, contents: string | Uint8Array<ArrayBuffer>): File => new File([contents], name);
const rows = (...values: object[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('');
const gsm8kRow = { question: 'How many?', answer: '48/2 = <<48/2=24>>24\n#### 24' };

const examplesOf = async (file: File, options?: ImportOptions): Promise<Example[]> => (await importDataset(file, options)).examples.read();

async function problemOf(name: string, contents: string, options?: ImportOptions): Promise<DataProblem> {
  const failed: unknown = await importDataset(fileOf(name, contents), options).catch((error: unknown) => error);
  if (!(failed instanceof DataProblem)) throw new Error('expected a DataProblem');
  return failed;
}

describe('importDataset', () => {
  it('recognises, maps, counts and hashes', async () => {
    const contents = rows(gsm8kRow, { question: 'And now?', answer: '#### 2' }, { question: 'Blank', answer: '' });
    const progress: number[] = [];
    const dataset = await importDataset(fileOf('a.jsonl', contents), {}, ({ bytesRead, size }) => progress.push(bytesRead / size));
    expect(dataset).toMatchObject({
      name: 'a.jsonl', kind: 'question-answer', columns: ['question', 'answer'], mapping: { prompt: 'question', completion: 'answer' }, rowsRead: 3, emptyRows: 1,
    });
    expect((await dataset.examples.read()).map(({ row, answer }) => [row, answer])).toEqual([[1, '24'], [2, '2']]);
    expect(dataset.problems.map(({ message }) => message)).toEqual(['a.jsonl: Rows without a completion were left out: 1 of 3. The other rows are used. Check the mapping if this is unexpected.']);
    expect(dataset.sha256).toBe(createHash('sha256').update(contents).digest('hex'));
    expect(progress.at(-1)).toBe(1);
  });

  it('stops at a bad row with the four parts of an alert, or skips it', async () => {
    const contents = `${rows(gsm8kRow, gsm8kRow)}{"question": "x\n${rows(gsm8kRow)}`;
    expect(await problemOf('train.jsonl', contents)).toMatchObject({
      file: 'train.jsonl', row: 3, character: 16, severity: 'error',
      message: 'train.jsonl: Row 3: the line ends inside a string, at character 16. Rows 1 to 2 read well. Skip this row, or choose another file.',
    });
    expect((await examplesOf(fileOf('train.jsonl', contents), { skipRows: [3] })).map(({ row }) => row)).toEqual([1, 2, 4]);
    const dataset = await importDataset(fileOf('train.jsonl', contents), { skipBadRows: true });
    expect((await dataset.examples.read()).map(({ row }) => row)).toEqual([1, 2, 4]);
    expect(dataset.problems.map(({ message, severity }) => [message, severity])).toEqual([
      ['train.jsonl: Row 3: the line ends inside a string, at character 16. The other rows are used. This row was skipped.', 'warning'],
    ]);
  });

  it('names row and column of a missing value', async () => {
    expect((await problemOf('a.csv', 'prompt,completion\np,c\np\n')).message).toBe(
      'a.csv: Row 2, column completion: it has 1 of 2 fields. Row 1 read well. Skip this row, or choose another file.',
    );
    expect((await problemOf('a.jsonl', rows({ prompt: 'p', completion: 'c' }, { prompt: 'p' }))).message).toContain('Row 2, column completion: it has no value.');
  });

  it('guesses where the shape is unknown and says so, and takes a mapping', async () => {
    const contents = rows({ x: 'What?', y: '#### 5' });
    const guessed = await importDataset(fileOf('a.jsonl', contents));
    expect(guessed.kind).toBe('custom');
    expect(await guessed.examples.at(0)).toMatchObject({ question: 'What?', answer: '5' });
    expect(guessed.problems.map(({ message }) => message)).toEqual([
      'a.jsonl: The columns have no shape that is known; "x" was taken as the prompt and "y" as the completion. Its columns: x, y. Check the mapping.',
    ]);
    const dataset = await importDataset(fileOf('a.jsonl', contents), { mapping: { prompt: 'y', completion: 'x' } });
    expect(dataset).toMatchObject({ kind: 'custom', problems: [] });
    expect(await dataset.examples.at(0)).toMatchObject({ question: '#### 5' });
    expect((await problemOf('a.jsonl', rows({ x: [1, 2], y: 'z' }))).message).toContain('hold lists or numbers');
    expect((await problemOf('a.jsonl', contents, { mapping: { completion: 'z' } })).message).toContain('There is no column "z"');
  });

  it('refuses a file without rows', async () => {
    expect((await problemOf('a.csv', '')).message).toBe('a.csv: The file holds no rows. Nothing was imported. Choose another file.');
    expect((await problemOf('a.jsonl', '{\n', { skipBadRows: true })).message).toContain('No row of the file could be read. Row 1: the line ends where the name of a value should begin, at character 2. Nothing was imported.');
  });

  it('lists a hundred bad rows and counts the rest, and warns of lost characters', async () => {
    const dataset = await importDataset(fileOf('a.jsonl', rows({ text: '\uFFFD' }, { text: '\uFFFD' }) + '?\n'.repeat(103)), { skipBadRows: true });
    expect(dataset.problems).toHaveLength(102);
    expect(dataset.problems.slice(-2).map(({ what }) => what)).toEqual([
      'further rows were skipped: 3 of 105',
      'rows hold \uFFFD, which stands for bytes that are no UTF-8: 2 of 105, first row 1',
    ]);
  });

  it('can be cancelled', async () => {
    await expect(importDataset(fileOf('a.jsonl', rows(gsm8kRow)), { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
  });
});
