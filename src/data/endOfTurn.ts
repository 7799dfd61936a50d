/**
 * @file Where an answer ends: the ids that stop a generation, and whether a model can know the one that its chat template ends turns with. LoRA does
 * not train the embedding, so that a base model which never met the token cannot learn to write it, and talks on.
 */
import type { ChatTemplate } from '../formats/chatTemplate.ts';
import type { Tokenizer } from '../formats/tokenizer.ts';

/** The first special token after an answer, such as <|im_end|>; undefined where the template ends turns with ordinary text or not at all. */
export const endOfTurnId = (tokenizer: Tokenizer, { endOfTurn }: ChatTemplate): number | undefined =>
  tokenizer.encode(endOfTurn, { continues: true }).find((id) => tokenizer.isSpecial(id));

/** Any of these ends an answer: those of generation_config.json (else the tokenizer's own), and under a template its end-of-turn token. */
export function stopTokenIds(tokenizer: Tokenizer, template?: ChatTemplate): number[] {
  const endOfTurn = template === undefined ? undefined : endOfTurnId(tokenizer, template);
  return [...new Set([...tokenizer.eosTokenIds, ...(endOfTurn === undefined ? [] : [endOfTurn])])];
}

/** Ids whose rows of the input embedding tell whether the end-of-turn token was trained. */
export interface RowsToCompare {
  readonly token: number;
  /** Rows that no text reaches: beyond the vocabulary, or of tokens named as reserves. */
  readonly unused: readonly number[];
  readonly ordinary: readonly number[];
}

/** The same rows with their values, [hiddenSize] each. */
export interface ComparedRows {
  readonly token: Float32Array;
  readonly unused: readonly Float32Array[];
  readonly ordinary: readonly Float32Array[];
}

const MOST_UNUSED = 64;
const MOST_ORDINARY = 256;
const RESERVE = /reserved|unused|<\|?extra_|<\|?dummy|placeholder/iu;

/** @param rows of the embedding, which may be more than the tokenizer has ids. @returns undefined where the end-of-turn is no special token. */
export function rowsToCompare(tokenizer: Tokenizer, template: ChatTemplate, rows: number): RowsToCompare | undefined {
  const token = endOfTurnId(tokenizer, template);
  if (token === undefined) return undefined;
  const ids = Array.from({ length: rows }, (_, id) => id).filter((id) => id !== token);
  const isUnused = (id: number): boolean => id >= tokenizer.vocabSize || (tokenizer.isSpecial(id) && RESERVE.test(tokenizer.tokenText(id)));
  return {
    token,
    unused: spread(ids.filter(isUnused), MOST_UNUSED),
    ordinary: spread(ids.filter((id) => id < tokenizer.vocabSize && !tokenizer.isSpecial(id)), MOST_ORDINARY),
  };
}

const spread = (ids: readonly number[], most: number): number[] =>
  ids.length <= most ? [...ids] : Array.from({ length: most }, (_, i) => ids[Math.floor((i * ids.length) / most)]!);

/**
 * A sentence for the user where the model has probably never learnt to end a turn as the template does; undefined where nothing says so. It is a guess
 * from three signs: the template is a stand-in; the token is split or no generation stops at it; its row of the embedding looks like rows that were
 * never trained. A row that clearly differs from those outweighs the generation's stop. What the model would really write, only trying shows.
 */
export function endOfTurnWarning(tokenizer: Tokenizer, template: ChatTemplate, rows?: ComparedRows): string | undefined {
  const text = JSON.stringify(template.endOfTurn.trim());
  if (template.endOfTurn.trim() === '') return undefined;
  const id = endOfTurnId(tokenizer, template);
  if (id === undefined) {
    return `Turns end with ${text}, which is no special token of this tokenizer but ${tokenizer.encode(template.endOfTurn.trim()).length} ordinary ones; an end-of-text token is put after each conversation, so that the model can stop.`;
  }
  const token = JSON.stringify(tokenizer.tokenText(id));
  const untrained = rows === undefined ? undefined : looksUntrained(rows);
  const signs: string[] = [];
  if (untrained === true) signs.push('its row of the embedding looks like rows that were never trained');
  if (template.warning !== undefined) signs.push('the model comes with no chat template that ends turns so');
  if (untrained !== false && !tokenizer.eosTokenIds.includes(id)) signs.push('generation_config.json does not stop at it');
  if (signs.length === 0) return undefined;
  return `The model has probably not learnt to end a turn with ${token}: ${signs.join(', and ')}. LoRA leaves the embedding as it is, so the tuned model may not stop. Fine-tune all weights, start from the instruction-tuned model, or choose the plain form.`;
}

/** Too few to know how far apart unused rows lie. */
const FEW_UNUSED = 4;
/** A further untrained row of independent noise lies from the mean of the others about as far as they do; a few percent more for its not being in it. */
const WITHIN = 1.2;
/** Ordinary rows must lie clearly further off, or distance says nothing: this far, nine in ten of them. */
const CLEARLY_OUTSIDE = 1.5;
const MOST_OF_THEM = 0.9;
/** Weight decay shrinks a row that no gradient reaches; one at half the smallest of ordinary norms is none of them. */
const SMALL = 0.5;

/** @returns undefined where the rows do not tell: rows that were never trained are no different from others in them. */
function looksUntrained({ token, unused, ordinary }: ComparedRows): boolean | undefined {
  if (token.every((value) => value === 0) || unused.some((row) => distance(row, token) === 0)) return true;
  if (unused.length >= FEW_UNUSED) {
    const mean = token.map((_, i) => unused.reduce((sum, row) => sum + row[i]!, 0) / unused.length);
    const radius = Math.max(...unused.map((row) => distance(row, mean)));
    const outside = ordinary.filter((row) => distance(row, mean) > CLEARLY_OUTSIDE * radius).length;
    if (outside >= MOST_OF_THEM * ordinary.length) return distance(token, mean) <= WITHIN * radius;
  }
  const origin = new Float32Array(token.length);
  const smallest = Math.min(...ordinary.map((row) => distance(row, origin)));
  return distance(token, origin) < SMALL * smallest ? true : undefined;
}

const distance = (a: Float32Array, b: Float32Array): number => Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0));
