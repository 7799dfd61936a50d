/** @file The part of a run's settings that belongs to its method: what it uses, how that is written, and what each method was last set to. Pure. */
import { methodInfo, parametersOf, type MethodChoice, type MethodId, type MethodParameter, type NumberParameter, type PenaltyId } from '../../worker/methods.ts';
import type { RunConfig } from '../../worker/protocol.ts';

/** A method with everything it can be set by. */
export type MethodSettings = Pick<RunConfig, 'method' | 'penalty' | 'lambda' | 'rankFraction' | 'tau' | 'throughScale' | 'beta'>;

export type ParameterId = MethodParameter['id'];

export const pickSettings = ({ method, penalty, lambda, rankFraction, tau, throughScale, beta }: RunConfig): MethodSettings => ({
  method, ...(penalty === undefined ? {} : { penalty }), lambda, rankFraction, tau, throughScale, beta,
});

/** The setting has an effect in a run of this method. */
export const usesParameter = (choice: MethodChoice, id: ParameterId): boolean => parametersOf(choice).some((parameter) => parameter.id === id);

/** The parameters of a run that are numbers. */
export const numbersOf = (choice: MethodChoice): readonly NumberParameter[] => parametersOf(choice).filter((parameter) => parameter.kind === 'number');

/** The method cannot be run on adapters. */
export const needsAllWeights = (method: MethodId): boolean => !methodInfo(method).adapters;

/** Another method in a run. k stays as it was where the new method holds no directions: the spectrum is still measured in that many. */
export function switchMethod(config: RunConfig, settings: MethodSettings): RunConfig {
  const { penalty: _before, ...rest } = config;
  return { ...rest, ...settings, ...(usesParameter(settings, 'rankFraction') ? {} : { rankFraction: config.rankFraction }) };
}

/** What was last set: by method, and by method with the penalty beside it. */
export type MethodMemory = Readonly<Record<string, MethodSettings>>;

export const memoryKey = (method: MethodId, penalty?: PenaltyId): string => (penalty === undefined ? method : `${method} + ${penalty}`);

/** Adds the method of a run to what is remembered. */
export function remember(memory: MethodMemory, config: RunConfig): MethodMemory {
  const settings = pickSettings(config);
  return { ...memory, [memoryKey(config.method)]: settings, [memoryKey(config.method, config.penalty)]: settings };
}
