/** @file Whether the open model can know how its chat template ends a turn, by the rows of its embedding. */
import { FALLBACK_TEMPLATE } from '../data/chat.ts';
import { endOfTurnWarning, rowsToCompare } from '../data/endOfTurn.ts';
import type { Lab } from '../engine.ts';

/** A sentence for the page, or undefined where nothing speaks against it. */
export async function turnWarning({ model, tokenizer, template = FALLBACK_TEMPLATE }: Lab): Promise<string | undefined> {
  const { device } = model.context.gpu;
  const embedding = model.layout.weights.find(({ name }) => name === model.architecture.names.embedding);
  const rows = embedding && rowsToCompare(tokenizer, template, embedding.rows);
  if (!embedding || !rows) return endOfTurnWarning(tokenizer, template);
  const row = (index: number): Promise<Float32Array> => model.weights.read(device, { ...embedding, shape: [1, embedding.columns], rows: 1, offset: embedding.offset + index * embedding.columns });
  const all = (indices: readonly number[]): Promise<Float32Array[]> => Promise.all(indices.map((index) => row(index)));
  return endOfTurnWarning(tokenizer, template, { token: await row(rows.token), unused: await all(rows.unused), ordinary: await all(rows.ordinary) });
}
