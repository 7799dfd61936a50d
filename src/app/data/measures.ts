/** @file What the items of a dataset can be measured by, in words. Pure functions, with tests. */
import type { DatasetSummary, Measure } from '../../worker/protocol.ts';

export interface MeasureInfo {
  readonly measure: Measure;
  /** As a label: "Likeliest option". */
  readonly name: string;
  /** In a sentence: "by likeliest option". */
  readonly words: string;
  readonly help: string;
}

export const measureInfos: readonly MeasureInfo[] = [
  { measure: 'choice', name: 'Likeliest option', words: 'likeliest option', help: 'Right where the model finds the right option likelier than every other. Also shown by byte (acc_norm), which does not favour short ones.' },
  { measure: 'generation', name: 'Generated answer', words: 'generated answer', help: 'The model writes its answer; what stands in the last box, after #### or as the last number is compared with the gold answer.' },
  { measure: 'exact', name: 'Whole completion', words: 'whole completion', help: 'Right where the model, taking the likeliest token each time, would write the completion of the file to the last token.' },
  { measure: 'perplexity', name: 'Perplexity', words: 'perplexity', help: 'How well the model foretells the text: e to the mean loss of a token. Lower is better; there is no right or wrong.' },
];

const infos = new Map(measureInfos.map((info) => [info.measure, info]));

export const measureInfo = (measure: Measure): MeasureInfo => infos.get(measure)!;

type Measurable = Pick<DatasetSummary, 'mapping' | 'trainedTokens'>;

/** Why a dataset cannot be measured so; undefined when it can. */
export function measureProblem(measure: Measure, { mapping, trainedTokens }: Measurable): string | undefined {
  const hasOptions = mapping.choices !== undefined || (mapping.right !== undefined && mapping.wrong !== undefined);
  const isAsked = mapping.prompt !== undefined || mapping.messages !== undefined;
  if (measure === 'choice') return hasOptions ? undefined : 'No column holds options to choose from.';
  if (measure !== 'perplexity' && !isAsked) return 'The rows are plain text: they ask nothing that could be answered.';
  if (measure !== 'generation' && trainedTokens === 0) return 'The rows hold gold answers only, no text to compare with word for word.';
  return undefined;
}
