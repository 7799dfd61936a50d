/**
 * @file Says where JSON text breaks and how, in words. The engines' own messages differ from browser to browser, and some carry no position.
 */

export interface JsonError {
  /** Counted from 1; one past the end where the text ends too early. */
  readonly character: number;
  /** A clause: "the text ends inside a string". */
  readonly what: string;
}

const WHITESPACE = new Set([' ', '\t', '\n', '\r']);
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/uy;
const LITERALS = ['true', 'false', 'null'] as const;
/** Deepest nesting of lists and objects that is read: far more than data has, far less than a stack holds. */
export const MAX_DEPTH = 500;

class Broken extends Error {
  readonly at: number;
  readonly what: string;

  constructor(at: number, what: string) {
    super(what);
    this.at = at;
    this.what = what;
  }
}

/**
 * The first error in text that JSON.parse refused (RFC 8259 grammar).
 * @param unit what the text is to the reader: "line" or "row".
 */
export function locateJsonError(text: string, unit: string): JsonError {
  let position = 0;
  const fail = (what: string, at = position): never => {
    throw new Broken(at, what);
  };
  const skipSpace = (): void => {
    while (WHITESPACE.has(text[position] ?? '')) position++;
  };
  const shown = (): string => (text[position] === undefined ? `the ${unit} ends` : `there is ${JSON.stringify(String.fromCodePoint(text.codePointAt(position)!))}`);

  const readString = (): void => {
    for (position++; text[position] !== '"'; position++) {
      const character = text[position];
      if (character === undefined) fail(`the ${unit} ends inside a string`);
      else if (character < ' ') fail(`a string holds ${character === '\n' ? 'a line break' : 'a control character'} that is not escaped`);
      else if (character === '\\' && /^(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/u.test(text.slice(position + 1, position + 6))) position++;
      else if (character === '\\') fail(text[position + 1] === undefined ? `the ${unit} ends inside a string` : 'a backslash begins no escape that JSON knows');
    }
    position++;
  };

  const readValue = (depth: number): void => {
    skipSpace();
    if (depth > MAX_DEPTH) fail('the values are nested too deeply');
    const character = text[position];
    if (character === '"') return readString();
    if (character === '{' || character === '[') return readItems(character, depth);
    const literal = LITERALS.find((word) => text.startsWith(word, position));
    NUMBER.lastIndex = position;
    const length = literal?.length ?? NUMBER.exec(text)?.[0].length;
    if (length === undefined) fail(`${shown()} where a value should begin`);
    position += length!;
  };

  const readItems = (open: '{' | '[', depth: number): void => {
    const close = open === '{' ? '}' : ']';
    const container = open === '{' ? 'an object' : 'a list';
    position++;
    skipSpace();
    if (text[position] === close) {
      position++;
      return;
    }
    for (;;) {
      skipSpace();
      if (open === '{') {
        if (text[position] !== '"') fail(`${shown()} where the name of a value should begin`);
        readString();
        skipSpace();
        if (text[position] !== ':') fail(`${shown()} where a colon should follow a name`);
        position++;
      }
      readValue(depth + 1);
      skipSpace();
      if (text[position] === close) break;
      if (text[position] !== ',') fail(text[position] === undefined ? `the ${unit} ends inside ${container}` : `${shown()} where a comma or ${close} should follow`);
      position++;
    }
    position++;
  };

  try {
    readValue(0);
    skipSpace();
    if (position < text.length) fail(`${shown()} after the end of the value`);
  } catch (error) {
    if (error instanceof Broken) return { character: error.at + 1, what: error.what };
    throw error;
  }
  return { character: text.length + 1, what: `the ${unit} is not valid JSON` };
}

/** Whether brackets nest deeper than MAX_DEPTH; to be asked before JSON.parse. Brackets inside strings count for nothing. */
export function isTooDeep(text: string): boolean {
  if (!hasManyBrackets(text)) return false;
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (inString) {
      if (character === '\\') i++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if ((character === '{' || character === '[') && ++depth > MAX_DEPTH) return true;
    else if (character === '}' || character === ']') depth--;
  }
  return false;
}

/** Nearly all rows have few brackets, and indexOf finds them far faster than a loop over the characters would. */
function hasManyBrackets(text: string): boolean {
  let count = 0;
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) if (++count > MAX_DEPTH) return true;
  }
  return false;
}
