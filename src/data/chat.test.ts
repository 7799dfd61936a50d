import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChatMessage } from '../formats/chatMessage.ts';
import { chatTemplateOf } from '../formats/chatTemplate.ts';
import type { ChatTemplate } from '../formats/chatTemplate.ts';
import { tinyTokenizerConfig, tinyTokenizerJson } from '../formats/fixtures/tinyTokenizer.ts';
import { loadTokenizer } from '../formats/tokenizer.ts';
import type { Tokenizer } from '../formats/tokenizer.ts';
import { chatSegments, conversationOf, earlierTurnsWarning, encodeChat, FALLBACK_TEMPLATE } from './chat.ts';
import type { Example } from './examples.ts';
import { checkCounts, countTokens, encodeAsked, encodePrompt, tokeniseExample, tokeniseExamples } from './tokenise.ts';

const system = (content: string): ChatMessage => ({ role: 'system', content });
const user = (content: string): ChatMessage => ({ role: 'user', content });
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content });
const jinja = (source: string): ChatTemplate => chatTemplateOf({ chatTemplateFile: source, tokenizerConfig: { bos_token: '<s>', eos_token: '</s>' } });
const place = { file: 'chat.jsonl', row: 12 };

/** Drops the thinking of earlier answers, as Qwen3's does. */
const THINKING = jinja(`{%- for m in messages %}
{{- '<|im_start|>' + m.role + '\\n' }}
{%- if m.role == 'assistant' and loop.last %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}
{{- m.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`);
/** Llama 2's: no generation prompt, the system turn inside the first of the user's, roles must alternate. */
const LLAMA2 = jinja(`{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}
{% if m.role == 'user' %}{{ bos_token + '[INST] ' + m.content | trim + ' [/INST]' }}{% else %}{{ ' ' + m.content | trim + ' ' + eos_token }}{% endif %}
{% endfor %}`);
/** Opens a turn with what it does not write, as DeepSeek-R1's. */
const MISMATCHED = jinja("{% for m in messages %}{{ '<' + m.role + '>' + m.content + '</s>' }}{% endfor %}{% if add_generation_prompt %}<assistant>{{ '<think>' }}{% endif %}");

const chatTokenizer = (extra: readonly string[] = ['<|im_start|>', '<|im_end|>', '<s>', '</s>']): Tokenizer => {
  const json = tinyTokenizerJson() as { added_tokens: object[] };
  const added = extra.map((content, i) => ({ id: 277 + i, content, special: true, normalized: false }));
  return loadTokenizer({ ...json, added_tokens: [...json.added_tokens, ...added] }, tinyTokenizerConfig);
};
const tokenizer = chatTokenizer();
const golden = JSON.parse(readFileSync(new URL('../../reference/fixtures/tokens.json', import.meta.url), 'utf8')) as { bases: Record<string, object> };
const sentencePiece = loadTokenizer(golden.bases['sentencePiece'], { bos_token: '<s>', eos_token: '</s>' });

const chat = (messages: readonly ChatMessage[], more: Partial<Example> = {}): Example => ({ row: 12, segments: [], question: 'q', answer: undefined, group: undefined, messages, ...more });
const prompted = (prompt: string, completion: string): Example => ({ row: 1, segments: [{ text: `${prompt}\n`, trained: false }, { text: completion, trained: true }], question: prompt, answer: undefined, group: undefined });
const trainedText = (messages: readonly ChatMessage[], template: ChatTemplate, first?: number): string[] => chatSegments(messages, template, place, first).filter(({ trained }) => trained).map(({ text }) => text);

describe('the mask of a conversation', () => {
  it("trains the assistant's turns, end of turn included", () => {
    expect(chatSegments([system('s'), user('a'), assistant('b'), user('c'), assistant('d')], FALLBACK_TEMPLATE, place)).toEqual([
      { text: '<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n', trained: false },
      { text: 'b<|im_end|>\n', trained: true },
      { text: '<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n', trained: false },
      { text: 'd<|im_end|>\n', trained: true },
    ]);
    expect(trainedText([user('a'), assistant('b'), user('c'), assistant('d')], LLAMA2)).toEqual([' b </s>', ' d </s>']);
  });

  it('leaves given answers untrained, and what follows the last answer out', () => {
    const messages = [user('a'), assistant('b'), user('c'), assistant('d'), user('e')];
    expect(trainedText(messages, FALLBACK_TEMPLATE, 2)).toEqual(['d<|im_end|>\n']);
    expect(chatSegments(messages, FALLBACK_TEMPLATE, place).map(({ text }) => text).join('')).toMatch(/d<\|im_end\|>\n$/u);
    expect(trainedText([user('a')], FALLBACK_TEMPLATE)).toEqual([]);
  });

  it('trains the last turn only where a template writes earlier ones otherwise', () => {
    const messages = [user('a'), assistant('b'), user('c'), assistant('d')];
    expect(trainedText(messages, THINKING)).toEqual(['<think>\n\n</think>\n\nd<|im_end|>\n']);
    expect(chatSegments(messages, THINKING, place).map(({ text }) => text).join('')).toBe(THINKING.render(messages, { addGenerationPrompt: false }));
    expect(earlierTurnsWarning(THINKING)).toMatch(/^The chat template \(chat_template.jinja\) writes earlier answers otherwise/u);
    expect([FALLBACK_TEMPLATE, LLAMA2].map(earlierTurnsWarning)).toEqual([undefined, undefined]);
  });

  it('names row and turn where a template breaks it', () => {
    expect(() => chatSegments([user('a'), assistant('b')], MISMATCHED, place)).toThrow(
      `chat.jsonl: Row 12: turn 2, the assistant's, cannot be told from what comes before: the chat template (chat_template.jinja) opens it with "<think>" and then writes it as "b</s>". The other rows`,
    );
    expect(() => chatSegments([user('a'), user('b'), assistant('c')], LLAMA2, place)).toThrow(
      'chat.jsonl: Row 12: the chat template (chat_template.jinja) refuses the conversation of 3 turns (user, user, assistant): roles must alternate.',
    );
    expect(() => chatSegments([assistant('a')], jinja('{{ messages[0].content + messages[0].role }}'), place)).toThrow(/turn 1, .* cannot open it without the turn itself/u);
    expect(() => chatSegments([user('a'), assistant('b')], jinja('{{ messages[0].content }}'), place)).toThrow(/turn 2, .* writes nothing for it/u);
  });

  it('covers each answer and nothing else, whatever stands in it', () => {
    const words = fc.string({ unit: fc.constantFrom('a', ' ', '\n', 'the', '<', '|', '{{', '%}', 'é', '🙂', '12'), minLength: 1, maxLength: 8 });
    const turns = fc.array(fc.tuple(words, words), { minLength: 1, maxLength: 4 });
    fc.assert(fc.property(turns, (pairs) => {
      const messages = pairs.flatMap(([question, answer]) => [user(question), assistant(answer)]);
      expect(trainedText(messages, FALLBACK_TEMPLATE)).toEqual(pairs.map(([, answer]) => `${answer}<|im_end|>\n`));
      const { ids, trained } = tokeniseExample(chat(messages), tokenizer, { maxLength: 10_000 });
      expect(tokenizer.decode(ids)).toBe(FALLBACK_TEMPLATE.render(messages, { addGenerationPrompt: false }));
      expect(tokenizer.decode(ids.filter((_, i) => trained[i] === 1))).toBe(pairs.map(([, answer]) => `${answer}<|im_end|>\n`).join(''));
    }), { numRuns: 200 });
  });
});

describe('tokens of a conversation', () => {
  const show = (each: Tokenizer, ids: ArrayLike<number>): string[] => Array.from(ids, (id) => each.tokenText(id));

  it('lets no token lie across an edge, and adds no second beginning or end', () => {
    const { ids, trained } = tokeniseExample(prompted('a', 'the'), sentencePiece, { maxLength: 99, template: LLAMA2 });
    expect(sentencePiece.addsBos).toBe(true);
    expect(show(sentencePiece, ids).filter((token) => token === '<s>' || token === '</s>')).toEqual(['<s>', '</s>']);
    // "▁the" after "]", and no further ▁ in front of it.
    expect(show(sentencePiece, ids.filter((_, i) => trained[i] === 1))).toEqual([' the', ' ', '</s>']);
  });

  it('begins every answer as the model is asked for it', () => {
    const messages = [system('s'), user('a the'), assistant('in'), user('c'), assistant(' the')];
    for (const [each, template] of [[tokenizer, FALLBACK_TEMPLATE], [tokenizer, THINKING], [sentencePiece, FALLBACK_TEMPLATE]] as const) {
      const { ids, trained } = tokeniseExample(chat(messages), each, { maxLength: 999, template });
      const asked = encodeChat(messages.slice(0, -1), each, template);
      expect([...ids.subarray(0, asked.length)]).toEqual(asked);
      expect([trained[asked.length - 1], trained[asked.length]]).toEqual([0, 1]);
      expect(encodeAsked(chat(messages), each, template)).toEqual(asked);
    }
    const { ids, trained } = tokeniseExample(prompted('a the', 'in'), tokenizer, { maxLength: 99, template: LLAMA2 });
    expect([...ids.subarray(0, trained.indexOf(1))]).toEqual(encodePrompt('a the', tokenizer, LLAMA2));
    expect(encodeAsked(prompted('a the', 'in'), tokenizer, LLAMA2)).toEqual(encodePrompt('a the', tokenizer, LLAMA2));
    expect(encodeAsked(prompted('a the', 'in'), tokenizer)).toEqual(encodePrompt('a the', tokenizer));
  });

  it('ends with a token that stops, where the end of turn is none', () => {
    const plain = chatTokenizer([]);
    const { ids, trained } = tokeniseExample(chat([user('a'), assistant('b')]), plain, { maxLength: 99 });
    expect(plain.decode(ids)).toBe('<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|endoftext|>');
    expect(trained.at(-1)).toBe(1);
  });

  it('takes prompts and completions for two turns under a template only, and plain text never', () => {
    const text: Example = { row: 1, segments: [{ text: 'the', trained: true }], question: '', answer: undefined, group: undefined };
    const tokens = (example: Example, template?: ChatTemplate): string => tokenizer.decode(tokeniseExample(example, tokenizer, { maxLength: 99, template }).ids);
    expect(tokens(prompted('a\n', 'b'), FALLBACK_TEMPLATE)).toBe('<|im_start|>user\na\n<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n');
    expect(tokens(prompted('a', 'b'))).toBe('a\nb<|endoftext|>');
    expect(tokens(text, FALLBACK_TEMPLATE)).toBe('the<|endoftext|>');
    expect(conversationOf({ ...prompted('a', 'b'), segments: [{ text: 'a\n', trained: false }] })).toEqual([user('a')]);
  });

  it('blocks a run without an answer, and says that only those are trained', async () => {
    const check = async (rows: readonly Example[], maxLength: number): Promise<string[]> =>
      checkCounts(countTokens(await tokeniseExamples(rows, tokenizer, { maxLength, template: FALLBACK_TEMPLATE })), 'chat.jsonl', maxLength).map(({ message }) => message);
    const answered = chat([user('a'), assistant('b')]);
    expect(await check([chat([user('a')])], 99)).toEqual([
      "chat.jsonl: Every label is masked: no token of these rows would be trained. The rows themselves read well. Change the mapping; of a conversation only the assistant's turns are trained.",
    ]);
    expect(await check([answered, chat([user('a')])], 99)).toEqual([expect.stringContaining('nothing in them is to be learnt')]);
    expect(await check([answered], 99)).toEqual([]);
    expect((await check([answered], 5))[0]).toContain('end inside the prompt');
  });
});

const shared = new URL('../../../shared/data/', import.meta.url);
if (existsSync(shared)) {
  describe('templates and tokenizers of real models', () => {
    const readText = (path: string): string => readFileSync(new URL(path, shared), 'utf8');
    const readJson = (path: string): Record<string, unknown> => JSON.parse(readText(path)) as Record<string, unknown>;
    const load = (folder: string): [Tokenizer, ChatTemplate] => {
      const tokenizerConfig = readJson(`${folder}/tokenizer_config.json`);
      return [loadTokenizer(readJson(`${folder}/tokenizer.json`), tokenizerConfig), chatTemplateOf({ tokenizerConfig })];
    };
    it.each(['smollm2', 'qwen2.5', 'tinyllama'])('%s', (name) => {
      const [each, template] = load(`tokenizers/${name}`);
      const messages = [user('How many?'), assistant('Three.\nOr 4'), user('Sure?'), assistant(' Yes')];
      const { ids, trained } = tokeniseExample(chat(messages), each, { maxLength: 999, template });
      const end = template.endOfTurn;
      // SentencePiece's normalizer puts a ▁ after every special token.
      const decode = (part: Uint32Array): string => each.decode(part).replaceAll('</s> ', '</s>');
      expect(decode(ids)).toBe(template.render(messages, { addGenerationPrompt: false }));
      expect(decode(ids.filter((_, i) => trained[i] === 1))).toBe(`Three.\nOr 4${end} Yes${end}`);
    });

    it('Qwen3 trains the last answer of several, and each where it is the only one', () => {
      const template = chatTemplateOf({ tokenizerConfig: readJson('jinja/qwen3.tokenizer_config.json') });
      expect(trainedText([user('a'), assistant('b'), user('c'), assistant('d')], template)).toEqual(['<think>\n\n</think>\n\nd<|im_end|>\n']);
      expect(trainedText([user('a'), assistant('<think>\nhm\n</think>\n\nb')], template)).toEqual(['<think>\nhm\n</think>\n\nb<|im_end|>\n']);
    });
  });
}
