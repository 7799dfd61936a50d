/**
 * @file The chat template of a model folder: a conversation becomes the text that the model was trained on. Templates are Jinja, rendered by
 * @huggingface/jinja with the settings of transformers' apply_chat_template (trim_blocks, lstrip_blocks, no autoescape).
 */
import { Template, parse, tokenize } from '@huggingface/jinja';
import type { ChatMessage } from './chatMessage.ts';
import { FormatError } from './formatError.ts';
import { addShim, shimContext } from './jinjaShim.ts';

/** The file that a template was found in, or ChatML where there is none. */
export type TemplateOrigin = 'chat_template.jinja' | 'tokenizer_config.json' | 'ChatML';

export interface RenderOptions {
  /** True ends the text with what opens the assistant's next turn. A template may tell false from not given. */
  readonly addGenerationPrompt?: boolean;
  /** What `strftime_now` tells, in local time; the time at which the template was read unless given, so that the rows of a data set agree. */
  readonly now?: Date;
  /** Other names the template may read: `tools`, `documents`, `enable_thinking`, ... */
  readonly context?: Readonly<Record<string, unknown>>;
}

export interface ChatTemplate {
  readonly origin: TemplateOrigin;
  /** The (default) template as Jinja; an export writes it. */
  readonly source: string;
  /** A sentence for the user where the model comes with no usable template and ChatML stands in. */
  readonly warning: string | undefined;
  /** What follows the assistant's last word, such as "<|im_end|>\n"; empty where the template cannot be asked. */
  readonly endOfTurn: string;
  /** @throws FormatError naming the file, the line of a syntax error, or what the template itself says against the messages. */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string;
}

/** What is read of a model folder. */
export interface TemplateFiles {
  /** Text of chat_template.jinja. */
  readonly chatTemplateFile?: string | undefined;
  /** Parsed tokenizer_config.json. */
  readonly tokenizerConfig?: Readonly<Record<string, unknown>>;
}

/** https://github.com/openai/openai-python/blob/v0.28.1/chatml.md, as transformers writes it. */
export const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/**
 * chat_template.jinja, else the template of tokenizer_config.json (a string, or the one named "default" of a list; "tool_use" where tools are
 * given), else ChatML with a warning. Templates are compiled when first rendered: a model with a broken one can still be used without.
 */
export function chatTemplateOf({ chatTemplateFile, tokenizerConfig = {} }: TemplateFiles): ChatTemplate {
  const specialTokens = specialTokensOf(tokenizerConfig);
  const created = new Date();
  const make = (origin: TemplateOrigin, sources: ReadonlyMap<string, string>, warning?: string): ChatTemplate => {
    const source = sources.get('default')!;
    const compiled = new Map<string, Template>();
    const render = (messages: readonly ChatMessage[], { addGenerationPrompt, now = created, context = {} }: RenderOptions = {}): string => {
      const name = context['tools'] != null && sources.has('tool_use') ? 'tool_use' : 'default';
      const template = compiled.get(name) ?? compile(sources.get(name)!, origin);
      compiled.set(name, template);
      try {
        const asked = addGenerationPrompt === undefined ? {} : { add_generation_prompt: addGenerationPrompt };
        return template.render({ ...specialTokens, ...context, ...asked, messages, ...shimContext(now) });
      } catch (error) {
        throw new FormatError(origin, 'chat template', messageOf(error));
      }
    };
    let endOfTurn: string | undefined;
    return {
      origin,
      source,
      warning,
      get endOfTurn() {
        return (endOfTurn ??= textAfterAnswer(render));
      },
      render,
    };
  };

  if (chatTemplateFile !== undefined) return make('chat_template.jinja', new Map([['default', chatTemplateFile]]));
  const named = namedTemplates(tokenizerConfig['chat_template']);
  if (named.has('default')) return make('tokenizer_config.json', named);
  const found = named.size === 0 ? 'comes with no chat template' : `has chat templates, but none named "default" (${[...named.keys()].join(', ')})`;
  return make('ChatML', new Map([['default', CHATML]]), `This model ${found}: conversations are written in ChatML, which it may never have seen.`);
}

const SETTINGS = { trim_blocks: true, lstrip_blocks: true };

function compile(source: string, origin: TemplateOrigin): Template {
  try {
    const template = new Template(source);
    addShim(template);
    return template;
  } catch (error) {
    // A TypeError is the parser reading past the last token.
    const what = error instanceof TypeError ? 'it ends inside a tag' : messageOf(error);
    throw new FormatError(origin, `chat template, line ${lineOfSyntaxError(source)}`, what);
  }
}

const TAG = /\{#[\s\S]*?#\}|\{[{%](?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?![%}]\})[\s\S])*(?:[%}]\})?/gu;

/** The library names no position. The lexer fails in the first tag up to which it cannot read; the parser, at the last token that it looks at. */
function lineOfSyntaxError(source: string): number {
  const starts = [...source.matchAll(TAG)].filter(({ 0: tag }) => !tag.startsWith('{#') && !/^\{%-?\s*(?:end)?generation\s*-?%\}$/u.test(tag)).map(({ index }) => index);
  const lineOf = (tag: number): number => source.slice(0, starts[Math.min(tag, starts.length - 1)] ?? 0).split('\n').length;
  const lexes = (end: number): boolean => succeeds(() => tokenize(source.slice(0, end), SETTINGS));
  if (!lexes(source.length)) return lineOf(starts.findIndex((_, i) => !lexes(starts[i + 1] ?? source.length)));
  const tokens = tokenize(source, SETTINGS);
  let furthest = 0;
  const watched = new Proxy(tokens, {
    get: (target, key, receiver): unknown => {
      if (typeof key === 'string' && /^\d+$/u.test(key)) furthest = Math.max(furthest, Number(key));
      return Reflect.get(target, key, receiver);
    },
  });
  succeeds(() => parse(watched));
  return lineOf(tokens.slice(0, furthest + 1).filter(({ type }) => type === 'OpenStatement' || type === 'OpenExpression').length - 1);
}

function succeeds(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}

function textAfterAnswer(render: ChatTemplate['render']): string {
  const answer = 'q7z';
  try {
    const text = render([{ role: 'user', content: 'u' }, { role: 'assistant', content: answer }]);
    const at = text.lastIndexOf(answer);
    return at < 0 ? '' : text.slice(at + answer.length);
  } catch {
    return '';
  }
}

function namedTemplates(value: unknown): Map<string, string> {
  if (typeof value === 'string') return new Map([['default', value]]);
  const items: unknown[] = Array.isArray(value) ? value : [];
  return new Map(items.flatMap((item): [string, string][] => {
    if (typeof item !== 'object' || item === null || !('name' in item) || !('template' in item)) return [];
    return typeof item.name === 'string' && typeof item.template === 'string' ? [[item.name, item.template]] : [];
  }));
}

/** bos_token, eos_token and the like: strings, or objects with `content`. */
function specialTokensOf(tokenizerConfig: Readonly<Record<string, unknown>>): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const [key, value] of Object.entries(tokenizerConfig)) {
    if (!key.endsWith('_token')) continue;
    const content = typeof value === 'object' && value !== null && 'content' in value ? value.content : value;
    if (typeof content === 'string') tokens[key] = content;
  }
  return tokens;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
