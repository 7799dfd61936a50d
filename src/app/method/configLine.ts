/** @file A run in one line. */
import { parametersOf, type MethodParameter } from '../../worker/methods.ts';
import type { LoraConfig, RunConfig } from '../../worker/protocol.ts';
import { formatRate } from '../format.ts';
import { numberFields } from './fields.ts';

/** Adapters as lists and lines name them: "LoRA r 16". */
export const loraLabel = ({ rank }: LoraConfig): string => `LoRA r ${rank}`;

/** A parameter with its value: "λ 10", "k 50%"; empty for a switch that is off. */
export function parameterText(config: RunConfig, parameter: MethodParameter): string {
  if (parameter.kind === 'flag') return config[parameter.id] ? parameter.name.toLowerCase() : '';
  return `${parameter.symbol} ${numberFields[parameter.id].write(config[parameter.id])}`;
}

/** The settings that matter most, as stations show them: "λ 10, k 50%, LoRA r 16, lr 1e-3". */
export function configLine(config: RunConfig): string {
  const own = parametersOf(config).map((parameter) => parameterText(config, parameter));
  const lora = config.lora === undefined ? [] : [loraLabel(config.lora)];
  const answers = config.reinforce === undefined ? [] : [`${config.reinforce.prompts} × ${config.reinforce.samples} answers`];
  return [...own, ...answers, ...lora, `lr ${formatRate(config.learningRate)}`].filter(Boolean).join(', ');
}
