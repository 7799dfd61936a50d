/**
 * @file The datasets that the scripted engine (app/testing.ts) says it imported.
 */
import type { DatasetColumns } from '../../data/mapping.ts';
import type { DatasetRole, DatasetSummary, PreviewRow } from '../../worker/protocol.ts';

export const sizes: Readonly<Record<DatasetRole, number>> = { train: 2000, heldOut: 200, outOfDomain: 640 };

export function dataset(role: DatasetRole, name: string, origin: 'demo' | 'file', mapping: DatasetColumns): DatasetSummary {
  const rows = sizes[role];
  const counts = [0, 0, 0, 2, 7, 20, 31, 22, 11, 5, 2].map((share) => Math.round((share * rows) / 100));
  return {
    role, name, origin, mapping, rows, shape: 'GSM8K', measure: 'exact', rendering: 'plain', columns: ['question', 'answer'], tokens: rows * 44, trainedTokens: mapping.completion === 'answer' ? rows * 19 : 0,
    firstRow: { question: 'Otto has 49 books and buys 20 more. How many books has Otto now?', answer: '49 + 20 = 69 #### 69' },
    truncatedRows: origin === 'file' ? 12 : 0, longest: 74, duplicates: origin === 'file' ? 3 : 0,
    overlap: role === 'train' ? { heldOut: 0, outOfDomain: 0 } : { train: 0 }, lengths: { width: 8, counts }, warnings: [], milliseconds: 40,
  };
}

export const demoMapping: DatasetColumns = { prompt: 'question', completion: 'answer' };
export const demo = (): readonly DatasetSummary[] => [
  dataset('train', 'demo-train.jsonl', 'demo', demoMapping),
  dataset('heldOut', 'demo-held-out.jsonl', 'demo', demoMapping),
  dataset('outOfDomain', 'demo-out-of-domain.jsonl', 'demo', demoMapping),
];

export const previewTokens = (row: number): PreviewRow['tokens'] => {
  const prompt = `Otto has ${40 + (row % 50)} books and buys 20 more. How many books has Otto now?`.split(/(?= )/);
  const answer = `${40 + (row % 50)} + 20 = ${60 + (row % 50)} #### ${60 + (row % 50)}`.split(/(?= )/);
  return [
    { text: '<s>', id: 0, trained: false, special: true },
    ...prompt.map((text, id) => ({ text, id, trained: false, special: false })),
    { text: '\n', id: 9, trained: false, special: false },
    ...answer.map((text, id) => ({ text, id, trained: true, special: false })),
    { text: '</s>', id: 1, trained: true, special: true },
  ];
};
