/** @file Reading the fields of config.json, with errors that name the field and its value. */

import type { GeluForm } from '../graph/ops/gelu.ts';

/** transformers' names of GELU; three of them are one function. */
export const GELU_FORMS: ReadonlyMap<unknown, GeluForm> = new Map<unknown, GeluForm>([
  ['gelu', 'erf'],
  ['gelu_new', 'tanh'],
  ['gelu_fast', 'tanh'],
  ['gelu_pytorch_tanh', 'tanh'],
]);

/** A field of config.json that this engine cannot honour. */
export class ModelConfigError extends Error {
  override readonly name = 'ModelConfigError';
  constructor(
    readonly field: string,
    readonly value: unknown,
    expected: string,
  ) {
    super(`config.json: ${field} is ${value === undefined ? 'missing' : JSON.stringify(value)}; ${expected}.`);
  }
}

/** Checked access to the fields of one config.json, or of an object in it. */
export class ConfigFields {
  /** @param path what to call the object before a field's name, `rope_scaling.` */
  constructor(
    readonly json: Readonly<Record<string, unknown>>,
    private readonly path = '',
  ) {}

  /** @throws {ModelConfigError} always */
  fail(field: string, expected: string): never {
    throw new ModelConfigError(this.path + field, this.json[field], expected);
  }

  /** A positive number; `fallback` where the field is absent or null. */
  positive(field: string, fallback?: number): number {
    const value = this.json[field] ?? fallback;
    return typeof value === 'number' && value > 0 ? value : this.fail(field, 'a positive number is needed');
  }

  /** A positive whole number; `fallback` where the field is absent or null. */
  count(field: string, fallback?: number): number {
    const value = this.positive(field, fallback);
    return Number.isInteger(value) ? value : this.fail(field, 'a whole number is needed');
  }

  /** A yes or no; `fallback` where the field is absent or null. */
  flag(field: string, fallback: boolean): boolean {
    const value = this.json[field] ?? fallback;
    return typeof value === 'boolean' ? value : this.fail(field, 'true or false is needed');
  }

  /** One of a few values; `fallback` where the field is absent or null. */
  choice<T>(field: string, values: ReadonlyMap<unknown, T>, fallback: string): T {
    const found = values.get(this.json[field] ?? fallback);
    return found ?? this.fail(field, `supported are ${[...values.keys()].map((value) => JSON.stringify(value)).join(', ')}`);
  }

  /** Refuses any value but `expected`; an absent field is `expected` too. */
  require(field: string, expected: boolean | null, why: string): void {
    const value = this.json[field] ?? expected;
    if (value !== expected) this.fail(field, `only ${expected} is supported${why}`);
  }

  /** An object, with errors that name its fields by their path; undefined where the field is absent or null. */
  object(field: string): ConfigFields | undefined {
    const value = this.json[field] ?? undefined;
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) this.fail(field, 'an object is needed');
    return new ConfigFields(value as Readonly<Record<string, unknown>>, `${this.path}${field}.`);
  }

  /**
   * Numbers in a head where the width is shared out among the heads.
   * @throws {ModelConfigError} unless the width and the head are multiples of 4, as the kernels load them
   */
  sharedHeadDim(widthField: string, width: number, headsField: string, heads: number): number {
    if (width % 4) this.fail(widthField, 'a multiple of 4 is needed');
    const size = width / heads;
    return size % 4 === 0 ? size : this.fail(headsField, `it makes heads of ${Number(size.toFixed(2))} numbers (${widthField} / ${headsField}); a multiple of 4 is needed`);
  }
}
