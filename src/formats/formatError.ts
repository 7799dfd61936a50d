/**
 * @file The one error of this room. It says which file, where in it, and what is wrong; the page adds what still holds and what to do.
 */

/** A file that breaks the rules of its format. `message` reads as `file: where: what`. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  readonly file: string;
  /** The tensor, offset, line or key; empty when the whole file is meant. */
  readonly where: string;
  readonly what: string;

  constructor(file: string, where: string, what: string) {
    super([file, where, what].filter((part) => part !== '').join(': '));
    this.file = file;
    this.where = where;
    this.what = what;
  }
}

/** A value read from a file as an error may quote it: short, whatever its size or depth. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (Array.isArray(value)) {
    const items = value.slice(0, 8).map((item: unknown) => (typeof item === 'object' && item !== null ? '…' : show(item)));
    return `[${items.join(', ')}${value.length > 8 ? ', …' : ''}]`;
  }
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
