/** @file Results that belong to an unchanging object, kept as long as the object is. */

const results = new WeakMap<object, Map<string, unknown>>();

/**
 * `make()` for this owner and key, computed once. Runs are replaced when they change, so what was computed from one stays true; a finished
 * run that is laid over a live one costs nothing per update.
 */
export function cached<T>(owner: object, key: string, make: () => T): T {
  let own = results.get(owner);
  if (own === undefined) results.set(owner, (own = new Map<string, unknown>()));
  if (!own.has(key)) own.set(key, make());
  return own.get(key) as T;
}
