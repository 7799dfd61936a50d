/** @file The table of methods, where the page may read it, and what it says of a run: one of GRPO has neither objective nor penalty of its method. */
import type { MethodChoice, MethodParameter } from '../methods/registry.ts';
import { choiceName as nameOf, parametersOf as parametersOfChoice } from '../methods/registry.ts';
import type { RunConfig } from './protocol.ts';

export * from '../methods/registry.ts';

/** A method with its penalty, or a whole run. */
type Choice = MethodChoice & Pick<RunConfig, 'reinforce' | 'startFrom'>;

/** "RPSFT", "DFT + RPSFT"; of a run of GRPO "GRPO from RPSFT", or "GRPO" where it starts from the model. */
export function choiceName(choice: Choice): string {
  const { reinforce, startFrom } = choice;
  if (reinforce === undefined) return nameOf(choice);
  return startFrom === undefined ? 'GRPO' : `GRPO from ${nameOf(choice)}`;
}

/** The parameters that have an effect; GRPO uses none of its method's. */
export const parametersOf = (choice: Choice): readonly MethodParameter[] => (choice.reinforce === undefined ? parametersOfChoice(choice) : []);
