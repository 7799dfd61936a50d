/** @file What the queue is filled with: methods by seeds by learning rates by the parameters of each method. Pure. */
import type { MethodId, QueuedRun, RunConfig } from '../../worker/protocol.ts';
import { fieldProblem, numberFields, readNumber, type NumberKey } from '../method/fields.ts';
import type { LabRun } from '../runs.ts';
import { settingsKey, usesLambda, usesRank } from './groups.ts';

/** The parameters of a method that are swept. */
export interface MethodSweep {
  readonly method: MethodId;
  /** Empty where the method has no penalty. */
  readonly lambdas: readonly number[];
  /** k as fractions of the rank; empty where the method holds no block. */
  readonly ranks: readonly number[];
}

export interface Sweep {
  readonly methods: readonly MethodSweep[];
  readonly rates: readonly number[];
  /** Seeds counted up from that of the edited run. */
  readonly seeds: number;
}

/** More runs than this are not meant. */
export const mostRuns = 500;

/** Values between commas, semicolons or spaces, each once; a sentence when one of them is not allowed. */
export function parseList(text: string, key: NumberKey): { readonly values: readonly number[]; readonly problem: string | undefined } {
  const info = numberFields[key];
  const parts = text.split(/[;,\s]+/).filter((part) => part !== '' && part !== '%');
  const values = [...new Set(parts.map((part) => readNumber(part, info)))];
  if (values.length === 0) return { values, problem: 'At least one value' };
  return { values, problem: values.map((value) => fieldProblem(key, value)).find((problem) => problem !== undefined) };
}

/** The values as a person types them. */
export const writeList = (values: readonly number[], key: NumberKey): string => values.map((value) => numberFields[key].write(value)).join(', ');

const orDefault = (values: readonly number[], value: number): readonly number[] => (values.length === 0 ? [value] : values);

/** Every run of a sweep, one seed of everything first, so that a queue that is stopped early has compared something. */
export function sweepConfigs(base: RunConfig, { methods, rates, seeds }: Sweep): readonly RunConfig[] {
  const settings = methods.flatMap(({ method, lambdas, ranks }) =>
    rates.flatMap((learningRate) =>
      (usesLambda(method) ? orDefault(lambdas, base.lambda) : [0]).flatMap((lambda) =>
        (usesRank(method) ? orDefault(ranks, base.rankFraction) : [base.rankFraction]).map((rankFraction): RunConfig => ({ ...base, method, learningRate, lambda, rankFraction })),
      ),
    ),
  );
  return Array.from({ length: seeds }, (_, index) => settings.map((config) => ({ ...config, seed: base.seed + index }))).flat();
}

/** Those that are neither here nor queued: the same seed of the same settings gives the same run. Failed runs do not count, nor stopped ones. */
export function newConfigs(configs: readonly RunConfig[], runs: readonly LabRun[], queued: readonly QueuedRun[]): readonly RunConfig[] {
  const exact = (config: RunConfig): string => `${settingsKey(config)} ${config.seed}`;
  const known = new Set([...runs.filter(({ recorded, state }) => !recorded && state !== 'failed' && state !== 'stopped').map(({ config }) => config), ...queued.map(({ config }) => config)].map(exact));
  return configs.filter((config) => !known.has(exact(config)));
}
