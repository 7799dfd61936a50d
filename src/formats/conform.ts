/** @file Checks a value from a file against an example of what it should be, field by field. */
import { show } from './formatError.ts';

/** A number, string or boolean; a list with an example of its items; an object, where a name that ends in ? may be missing. */
export type Example = number | string | boolean | readonly [Example] | { readonly [field: string]: Example };

/**
 * The value with the fields that the example has; null is read as NaN where a number belongs (JSON has no NaN).
 * @param path of the value in its file, for `fail`
 * @param fail throws what is wrong
 */
export function conform(value: unknown, example: Example, path: string, fail: (what: string) => never): unknown {
  if (typeof example === 'number' && value === null) return Number.NaN;
  if (typeof example !== 'object') return typeof value === typeof example ? value : fail(`${path} is ${show(value)}, not a ${typeof example}`);
  if (isList(example)) return Array.isArray(value) ? value.map((item, i) => conform(item, example[0], `${path}[${i}]`, fail)) : fail(`${path} is ${show(value)}, not a list`);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(`${path} is ${show(value)}, not an object`);
  const found = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(example).flatMap(([field, inner]) => {
      const name = field.replace('?', '');
      const present = Object.hasOwn(found, name);
      if (!present && field.endsWith('?')) return [];
      return [[name, conform(present ? found[name] : undefined, inner, path === '' ? name : `${path}.${name}`, fail)]];
    }),
  );
}

const isList = (example: Example): example is readonly [Example] => Array.isArray(example);
