/**
 * @file What @huggingface/jinja 0.5 takes otherwise than Python's Jinja, and templates of real models say: `lstrip('\n')` (Qwen3) would take away all
 * whitespace, `'' == false` (Llama 2) would be true, and `strftime_now` would write month names in the browser's language. A parsed template is
 * changed so that it calls functions of ours in these places.
 */
import type { Template } from '@huggingface/jinja';
import { strftime } from './strftime.ts';

type Node = Readonly<Record<string, unknown>>;

// No template has such names.
const STRIP = 'gimbal strip';
const EQUALS = 'gimbal equals';

/** Changes the program of a template in place; `shimContext` must then be among what it is rendered with. */
export function addShim({ parsed }: Template): void {
  const clock = { type: 'Set', assignee: identifier('strftime_now'), value: identifier('gimbal strftime'), body: [] };
  parsed.body = [clock, ...(rewritten(parsed.body) as Template['parsed']['body'])];
}

/** @param now what `strftime_now` tells, in local time. */
export const shimContext = (now: Date): Readonly<Record<string, unknown>> => ({
  'gimbal strftime': (format: string) => strftime(now, format),
  [STRIP]: strip,
  [EQUALS]: equals,
});

function rewritten(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewritten);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [rewritten(key), rewritten(item)]));
  if (!isNode(value)) return value;
  const node: Node = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, rewritten(item)]));
  const { type, callee, args, operator, left, right } = node;
  if (type === 'CallExpression' && isNode(callee) && callee['type'] === 'MemberExpression' && isNode(callee['property']) && Array.isArray(args) && args.length > 0) {
    const name = callee['property']['value'];
    if (name === 'strip' || name === 'lstrip' || name === 'rstrip') {
      return call(STRIP, [callee['object'], { type: 'StringLiteral', value: name }, ...(args as unknown[])]);
    }
  }
  if (type === 'BinaryExpression' && isNode(operator) && (operator['value'] === '==' || operator['value'] === '!=')) {
    const equal = call(EQUALS, [left, right]);
    return operator['value'] === '==' ? equal : { type: 'UnaryExpression', operator: { type: 'UnaryOperator', value: 'not' }, argument: equal };
  }
  return node;
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;
const identifier = (value: string): Node => ({ type: 'Identifier', value });
const call = (name: string, args: readonly unknown[]): Node => ({ type: 'CallExpression', callee: identifier(name), args });

/** Python's str.strip with the set of characters to take away; none means whitespace. */
function strip(text: unknown, side: string, characters: unknown): string {
  if (typeof text !== 'string') throw new Error(`${side} of something that is no text`);
  if (typeof characters !== 'string') return side === 'lstrip' ? text.trimStart() : side === 'rstrip' ? text.trimEnd() : text.trim();
  const points = Array.from(text);
  let [start, end] = [0, points.length];
  if (side !== 'rstrip') while (start < end && characters.includes(points[start]!)) start += 1;
  if (side !== 'lstrip') while (start < end && characters.includes(points[end - 1]!)) end -= 1;
  return points.slice(start, end).join('');
}

/** Text equals no number and no truth value; the rest as the library has it, which is by identity for lists. */
function equals(a: unknown, b: unknown): boolean {
  if (typeof a !== typeof b && (typeof a === 'string' || typeof b === 'string')) return false;
  // oxlint-disable-next-line eqeqeq -- in templates None equals what is not defined, and true equals 1
  return a == b;
}
