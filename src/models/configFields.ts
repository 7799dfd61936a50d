/** @file Reading the fields of config.json, with errors that name the field and its value. */

/** A field of config.json that this engine cannot honour. */
export class ModelConfigError extends Error {
  override readonly name = 'ModelConfigError';
  constructor(
    readonly field: string,
    readonly value: unknown,
    expected: string,
  ) {
    super(`config.json: ${field} is ${JSON.stringify(value)}; ${expected}.`);
  }
}

/** Checked access to the fields of one config.json. */
export class ConfigFields {
  constructor(readonly json: Readonly<Record<string, unknown>>) {}

  /** @throws {ModelConfigError} always */
  fail(field: string, expected: string): never {
    throw new ModelConfigError(field, this.json[field], expected);
  }

  /** A positive number; `fallback` where the field is absent. */
  positive(field: string, fallback?: number): number {
    const value = this.json[field] ?? fallback;
    return typeof value === 'number' && value > 0 ? value : this.fail(field, 'a positive number is needed');
  }

  /** A positive whole number; `fallback` where the field is absent. */
  count(field: string, fallback?: number): number {
    const value = this.positive(field, fallback);
    return Number.isInteger(value) ? value : this.fail(field, 'a whole number is needed');
  }
}
