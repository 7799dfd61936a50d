import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { locateJsonError } from './jsonError.ts';

describe('locateJsonError', () => {
  it.each<[string, number, string]>([
    ['{"a": "b', 9, 'the line ends inside a string'],
    ['{"a": "b\\', 9, 'the line ends inside a string'],
    ['{"a": 1', 8, 'the line ends inside an object'],
    ['[1, 2', 6, 'the line ends inside a list'],
    ['{"a" 1}', 6, 'there is "1" where a colon should follow a name'],
    ['{a: 1}', 2, 'there is "a" where the name of a value should begin'],
    ['{"a": 1,}', 9, 'there is "}" where the name of a value should begin'],
    ['{"a": 1 "b": 2}', 9, 'there is "\\"" where a comma or } should follow'],
    ['{"a": NaN}', 7, 'there is "N" where a value should begin'],
    ['{"a": 01}', 8, 'there is "1" where a comma or } should follow'],
    ['{"a": "\\x"}', 8, 'a backslash begins no escape that JSON knows'],
    ['{"a": "\n"}', 8, 'a string holds a line break that is not escaped'],
    ['{"a": 1} {"a": 2}', 10, 'there is "{" after the end of the value'],
    ['', 1, 'the line ends where a value should begin'],
    ['🙂', 1, 'there is "🙂" where a value should begin'],
  ])('%s', (text, character, what) => {
    expect(locateJsonError(text, 'line')).toEqual({ character, what });
  });

  it('finds a reason for whatever JSON.parse refuses', () => {
    fc.assert(fc.property(fc.json(), fc.nat(), fc.constantFrom('', '"', '{', ',', '\\', '\n'), (json, at, inserted) => {
      const text = json.slice(0, at % json.length) + inserted + json.slice((at % json.length) + 1);
      try {
        JSON.parse(text);
      } catch {
        const { character, what } = locateJsonError(text, 'line');
        expect(character).toBeLessThanOrEqual(text.length + 1);
        expect(what).not.toContain('not valid JSON');
      }
    }), { numRuns: 1000 });
  });
});
