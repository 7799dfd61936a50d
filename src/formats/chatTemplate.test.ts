import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChatMessage } from './chatMessage.ts';
import { CHATML, chatTemplateOf } from './chatTemplate.ts';

const user = (content: string): ChatMessage => ({ role: 'user', content });
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content });
const render = (source: string, messages: readonly ChatMessage[], context: Record<string, unknown> = {}): string => chatTemplateOf({ chatTemplateFile: source }).render(messages, { context });

describe('the template of a folder', () => {
  it('is chat_template.jinja, then that of tokenizer_config.json, then ChatML with a warning', () => {
    const of = (chatTemplateFile: string | undefined, chatTemplate: unknown): [string, string, boolean] => {
      const { origin, source, warning } = chatTemplateOf({ chatTemplateFile, tokenizerConfig: { chat_template: chatTemplate } });
      return [origin, source, warning !== undefined];
    };
    expect(of('a', 'b')).toEqual(['chat_template.jinja', 'a', false]);
    expect(of(undefined, 'b')).toEqual(['tokenizer_config.json', 'b', false]);
    expect(of(undefined, [{ name: 'rag', template: 'r' }, { name: 'default', template: 'd' }])).toEqual(['tokenizer_config.json', 'd', false]);
    expect(of(undefined, undefined)).toEqual(['ChatML', CHATML, true]);
    expect(of(undefined, [7, null, { name: 'default' }])).toEqual(['ChatML', CHATML, true]);
    expect(chatTemplateOf({ tokenizerConfig: { chat_template: [{ name: 'rag', template: 'r' }] } }).warning).toBe(
      'This model has chat templates, but none named "default" (rag): conversations are written in ChatML, which it may never have seen.',
    );
  });

  it('takes the one for tools where there are tools', () => {
    const template = chatTemplateOf({ tokenizerConfig: { chat_template: [{ name: 'default', template: 'd' }, { name: 'tool_use', template: '{{ tools | tojson }}' }] } });
    expect(template.render([user('x')])).toBe('d');
    expect(template.render([user('x')], { context: { tools: [{ name: 'é' }] } })).toBe('[{"name": "é"}]');
  });

  it('writes ChatML, and knows how a turn ends', () => {
    const template = chatTemplateOf({});
    expect(template.render([user('a'), assistant('b')])).toBe('<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n');
    expect(template.render([user('a')], { addGenerationPrompt: true })).toBe('<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n');
    expect(template.endOfTurn).toBe('<|im_end|>\n');
    expect(chatTemplateOf({ chatTemplateFile: '{{ raise_exception("never") }}' }).endOfTurn).toBe('');
  });

  it('knows the special tokens of tokenizer_config.json, which the caller may replace', () => {
    const tokenizerConfig = { chat_template: '{{ bos_token }}{{ eos_token }}{{ pad_token }}|', bos_token: '<s>', eos_token: { content: '</s>', special: true }, pad_token: null, add_bos_token: true };
    expect(chatTemplateOf({ tokenizerConfig }).render([])).toBe('<s></s>|');
    expect(chatTemplateOf({ tokenizerConfig }).render([], { context: { bos_token: 'B' } })).toBe('B</s>|');
  });
});

describe('rendering, as transformers does it', () => {
  it('drops the line break after a tag and the spaces before one', () => {
    expect(render('{% for m in messages %}\n  {% if true %}\n{{ m.content }}\n  {% endif %}\n{% endfor %}\n', [user('a'), user('b')])).toBe('a\nb\n');
    expect(render('{% generation %}x{% endgeneration %}', [])).toBe('x');
  });

  it('strips the characters that are named, and no others', () => {
    expect(render("{{ '\n  a'.lstrip('\n') }}|{{ 'b.!'.rstrip('!.') }}|{{ '--c--'.strip('-') }}|{{ '\n d '.strip() }}|{{ ('x' + messages[0].content).split('</t>')[-1].lstrip('\n') }}", [user('</t>\n  e')])).toBe('  a|b|c|d|  e');
    expect(render("{% set kept = {'k': [' a'.lstrip('b')]} %}{{ kept.k[0] }}", [])).toBe(' a');
    expect(() => render("{{ messages.strip('a') }}", [])).toThrow('chat_template.jinja: chat template: strip of something that is no text');
  });

  it('has text equal no number and no truth value', () => {
    expect(render("{% set s = '' %}{{ s == false }} {{ s != false }} {{ '1' == 1 }} {{ 0 == '' }} {{ 'a' == 'a' }} {{ 1 == true }} {{ nothing == none }} {{ 'a' != 'b' }}", [])).toBe('false true false false true true true true');
  });

  it('tells the time that it is given, with English names, the same in every row', () => {
    const template = chatTemplateOf({ chatTemplateFile: '{{ strftime_now("%d %b %Y, %A %-I %p") }}{% macro m() %}{{ strftime_now("%H:%M:%S %j %%") }}{% endmacro %} {{ m() }}' });
    expect(template.render([], { now: new Date(2025, 6, 5, 14, 3, 9) })).toBe('05 Jul 2025, Saturday 2 PM 14:03:09 186 %');
    expect(template.render([])).toBe(template.render([]));
    const codes = chatTemplateOf({ chatTemplateFile: '{{ strftime_now("%F %T %D %y %m %-m %B %a %w %p %I %Q") }}' });
    expect(codes.render([], { now: new Date(2024, 1, 29, 0, 3, 9) })).toBe('2024-02-29 00:03:09 02/29/24 24 02 2 February Thu 4 AM 12 %Q');
  });

  it('leaves what stands in messages alone', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('{{', '}}', '{%', '%}', '{#', '<|im_end|>', '\n', ' ', "'", '"', '\\', 'é', '🙂', 'a') }), (content) => {
      expect(chatTemplateOf({}).render([user(content)])).toBe(`<|im_start|>user\n${content}<|im_end|>\n`);
    }));
  });
});

describe('a template that cannot be used', () => {
  it.each([
    ['a\n{% if x %}\n{{ invalid ! invalid }}{% endif %}', 'line 3', 'Unexpected character: !'],
    ['{# {{ #}\n{{ "{%" }}\n{% for m in messages %}x\n{% endfor %}\n\n{% endfor %}', 'line 6', 'Unknown statement type: endfor'],
    ['{{ "a" }}\n{{ b }}{{', 'line 2', 'it ends inside a tag'],
    ['{% generation %}\n{% endgeneration %}\n{% if %}{% endif %}', 'line 3', 'Unexpected token: CloseStatement'],
    ['{{ unclosed', 'line 1', 'Unexpected end of input'],
  ])('names its line: %s', (source, line, what) => {
    expect(() => render(source, [])).toThrow(`chat_template.jinja: chat template, ${line}: ${what}`);
  });

  it('says what the template says', () => {
    const source = "{% if messages[0].role != 'user' %}{{ raise_exception('Roles must alternate user/assistant') }}{% endif %}";
    expect(() => render(source, [assistant('a')])).toThrow('chat_template.jinja: chat template: Roles must alternate user/assistant');
    expect(render(source, [user('a')])).toBe('');
    const configured = chatTemplateOf({ tokenizerConfig: { chat_template: '{{ missing() }}' } });
    expect(() => configured.render([])).toThrow('tokenizer_config.json: chat template: Cannot call something that is not a function');
  });
});

const data = new URL('../../../shared/data/jinja/', import.meta.url);
if (existsSync(data)) {
  const readJson = (file: string): unknown => JSON.parse(readFileSync(new URL(file, data), 'utf8'));
  /** A case's own names, the messages and the generation prompt among them. */
  const renderCase = (source: string, { messages = [], add_generation_prompt: asked, ...context }: Record<string, unknown>, now?: Date): string =>
    chatTemplateOf({ chatTemplateFile: source }).render(messages as ChatMessage[], {
      context, ...(now === undefined ? {} : { now }), ...(asked === undefined ? {} : { addGenerationPrompt: asked === true }),
    });

  describe('templates of real models', () => {
    const { now, cases } = readJson('chat_templates.json') as { now: string; cases: { name: string; chat_template: string; data: Record<string, unknown>; target: string }[] };
    it.each(cases)('$name', ({ chat_template: source, data: names, target }) => {
      expect(renderCase(source, names, new Date(now))).toBe(target);
    });

    it('Qwen3 keeps the spaces that an answer begins with, and the thinking of the last answer alone', () => {
      const template = chatTemplateOf({ tokenizerConfig: readJson('qwen3.tokenizer_config.json') as Record<string, unknown> });
      expect(template.origin).toBe('tokenizer_config.json');
      expect(template.render([user('a'), assistant('<think>\nhm\n</think>\n\nb'), user('c'), assistant('<think>\nso\n</think>\n\n  d')])).toBe(
        '<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n<think>\nso\n</think>\n\n  d<|im_end|>\n',
      );
      expect(template.endOfTurn).toBe('<|im_end|>\n');
    });

    it('has every feature', () => {
      const features = readJson('template_features.json') as { cases: { name: string; template: string; context: Record<string, unknown>; expected: string }[] };
      for (const { name, template, context, expected } of features.cases) expect(renderCase(template, context), name).toBe(expected);
    });

    it('refuses what is wrong', () => {
      const errors = readJson('template_errors.json') as Record<string, string[]>;
      for (const source of Object.values(errors).flat()) expect(() => render(source, []), source).toThrow(/^chat_template\.jinja: chat template/u);
    });
  });
}
