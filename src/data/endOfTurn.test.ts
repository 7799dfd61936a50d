import { describe, expect, it } from 'vitest';
import { chatTemplateOf } from '../formats/chatTemplate.ts';
import type { ChatTemplate } from '../formats/chatTemplate.ts';
import { tinyTokenizerConfig, tinyTokenizerJson } from '../formats/fixtures/tinyTokenizer.ts';
import { loadTokenizer } from '../formats/tokenizer.ts';
import type { Tokenizer } from '../formats/tokenizer.ts';
import { endOfTurnId, endOfTurnWarning, rowsToCompare, stopTokenIds } from './endOfTurn.ts';
import type { ComparedRows } from './endOfTurn.ts';
import { Random } from './random.ts';

const tokenizerWith = (added: readonly string[], generationConfig = {}): Tokenizer => {
  const json = tinyTokenizerJson() as { added_tokens: object[] };
  return loadTokenizer({ ...json, added_tokens: [...json.added_tokens, ...added.map((content, i) => ({ id: 277 + i, content, special: true }))] }, tinyTokenizerConfig, generationConfig);
};
const ownChatMl: ChatTemplate = chatTemplateOf({ chatTemplateFile: chatTemplateOf({}).source });
const chatMlTokens = ['<|im_start|>', '<|im_end|>'];
const END = 278;

/** Rows of independent noise. */
function noise(count: number, spread: number, seed: number, around: Float32Array = new Float32Array(WIDTH)): Float32Array[] {
  const random = new Random(seed);
  // The sum of twelve uniform numbers is near enough to a bell of variance 1.
  const bell = (): number => Array.from({ length: 12 }, () => random.uint32() / 2 ** 32).reduce((sum, each) => sum + each, 0) - 6;
  return Array.from({ length: count }, () => around.map((value) => value + spread * bell()));
}
const WIDTH = 48;

describe('what stops a generation', () => {
  it("is generation_config's list and the template's end of turn", () => {
    expect(endOfTurnId(tokenizerWith(chatMlTokens), ownChatMl)).toBe(END);
    expect(stopTokenIds(tokenizerWith(chatMlTokens, { eos_token_id: 5 }))).toEqual([5]);
    expect(stopTokenIds(tokenizerWith(chatMlTokens, { eos_token_id: [5, 0] }), ownChatMl)).toEqual([0, 5, END]);
    expect(stopTokenIds(tokenizerWith(chatMlTokens, { eos_token_id: [END, 0] }), ownChatMl)).toEqual([0, END]);
    expect(stopTokenIds(tokenizerWith([]), ownChatMl)).toEqual([0]);
    expect(stopTokenIds(tokenizerWith([]), chatTemplateOf({ chatTemplateFile: '{{ messages[-1].content }}' }))).toEqual([0]);
  });
});

describe('the warning of an end of turn that was never learnt', () => {
  const chatModel = tokenizerWith(chatMlTokens, { eos_token_id: [END] });
  const baseModel = tokenizerWith(chatMlTokens, { eos_token_id: 0 });
  const rows = (token: Float32Array, unused: Float32Array[], ordinary = noise(100, 1, 3)): ComparedRows => ({ token, unused, ordinary });

  it('is silent for a model that came with its template and stops there', () => {
    expect(endOfTurnWarning(chatModel, ownChatMl)).toBeUndefined();
    expect(endOfTurnWarning(chatModel, chatTemplateOf({ chatTemplateFile: '{{ messages[-1].content }}' }))).toBeUndefined();
  });

  it('names each sign', () => {
    expect(endOfTurnWarning(chatModel, chatTemplateOf({}))).toContain('the model comes with no chat template that ends turns so');
    expect(endOfTurnWarning(baseModel, ownChatMl)).toBe(
      'The model has probably not learnt to end a turn with "<|im_end|>": generation_config.json does not stop at it. LoRA leaves the embedding as it is, so the tuned model may not stop. Fine-tune all weights, start from the instruction-tuned model, or choose the plain form.',
    );
    expect(endOfTurnWarning(tokenizerWith([]), ownChatMl)).toMatch(/^Turns end with "<\|im_end\|>", which is no special token of this tokenizer but \d+ ordinary ones/u);
  });

  it('sees a row that is zero, the same as an unused one, or among the unused', () => {
    const near = noise(20, 0.01, 5, Float32Array.from({ length: WIDTH }, (_, i) => Math.sin(i)));
    const [token, ...unused] = near;
    for (const each of [rows(new Float32Array(WIDTH), []), rows(near[3]!, near), rows(token!, unused)]) {
      expect(endOfTurnWarning(chatModel, ownChatMl, each)).toContain('its row of the embedding looks like rows that were never trained');
    }
  });

  it('takes a row that clearly differs for trained, and decides nothing where rows do not tell', () => {
    const unused = noise(20, 0.01, 5);
    const [trained] = noise(1, 1, 9);
    expect(endOfTurnWarning(baseModel, ownChatMl, rows(trained!, unused))).toBeUndefined();
    // Unused rows as far apart as ordinary ones.
    const [asOthers, ...others] = noise(21, 1, 5);
    expect(endOfTurnWarning(chatModel, ownChatMl, rows(asOthers!, others))).toBeUndefined();
    expect(endOfTurnWarning(baseModel, ownChatMl, rows(asOthers!, others))).toContain('generation_config.json does not stop at it');
    // No unused rows: only a row much smaller than all others.
    expect(endOfTurnWarning(chatModel, ownChatMl, rows(noise(1, 0.1, 9)[0]!, []))).toContain('looks like rows that were never trained');
    expect(endOfTurnWarning(chatModel, ownChatMl, rows(trained!, []))).toBeUndefined();
  });

  it('compares with rows beyond the vocabulary and reserves, and with ordinary tokens', () => {
    const reserved = tokenizerWith([...chatMlTokens, '<|reserved_special_token_0|>', '<|python_tag|>']);
    expect(rowsToCompare(reserved, ownChatMl, 290)).toMatchObject({ token: END, unused: [279, 281, 282, 283, 284, 285, 286, 287, 288, 289] });
    const { unused, ordinary } = rowsToCompare(reserved, ownChatMl, 1000)!;
    expect([unused.length, new Set(unused).size, ordinary.length, new Set(ordinary).size]).toEqual([64, 64, 256, 256]);
    expect(ordinary.every((id) => id > 0 && id < 277)).toBe(true);
    expect(rowsToCompare(tokenizerWith([]), ownChatMl, 300)).toBeUndefined();
  });
});
