/** @file What the queue is filled with: methods by seeds by learning rates by the parameters of each method. Pure. */
import type { NumberParameter } from '../../worker/methods.ts';
import type { QueuedRun, RunConfig } from '../../worker/protocol.ts';
import { fieldProblem, numberFields, readNumber, type NumberKey } from '../method/fields.ts';
import { numbersOf, switchMethod, type MethodSettings } from '../method/methodSettings.ts';
import type { LabRun } from '../runs.ts';
import { settingsKey } from './groups.ts';

/** A method with the values that its parameters take; one that is left out stays as the settings have it. */
export interface MethodSweep {
  readonly settings: MethodSettings;
  readonly values: Readonly<Partial<Record<NumberParameter['id'], readonly number[]>>>;
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

/** The settings of a method with each value of each of its parameters. */
const crossed = ({ settings, values }: MethodSweep): readonly MethodSettings[] =>
  numbersOf(settings).reduce<readonly MethodSettings[]>((all, { id }) => all.flatMap((one) => (values[id] ?? [one[id]]).map((value) => ({ ...one, [id]: value }))), [settings]);

/** Every run of a sweep, one seed of everything first, so that a queue that is stopped early has compared something. */
export function sweepConfigs(base: RunConfig, { methods, rates, seeds }: Sweep): readonly RunConfig[] {
  const settings = methods.flatMap((method) => rates.flatMap((learningRate) => crossed(method).map((one): RunConfig => ({ ...switchMethod(base, one), learningRate }))));
  return Array.from({ length: seeds }, (_, index) => settings.map((config) => ({ ...config, seed: base.seed + index }))).flat();
}

/** Those that are neither here nor queued: the same seed of the same settings gives the same run. Failed runs do not count, nor stopped ones. */
export function newConfigs(configs: readonly RunConfig[], runs: readonly LabRun[], queued: readonly QueuedRun[]): readonly RunConfig[] {
  const exact = (config: RunConfig): string => `${settingsKey(config)} ${config.seed}`;
  const known = new Set([...runs.filter(({ recorded, state }) => !recorded && state !== 'failed' && state !== 'stopped').map(({ config }) => config), ...queued.map(({ config }) => config)].map(exact));
  return configs.filter((config) => !known.has(exact(config)));
}
