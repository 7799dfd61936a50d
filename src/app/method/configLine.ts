/** @file A run in one line. */
import type { LoraConfig, RunConfig } from '../../worker/protocol.ts';
import { formatParameter, formatRate, formatShare } from '../format.ts';
import { hasPenalty } from './methods.ts';

/** Adapters as lists and lines name them: "LoRA r 16". */
export const loraLabel = ({ rank }: LoraConfig): string => `LoRA r ${rank}`;

/** The settings that matter most, as stations show them: "λ 10, k 50%, LoRA r 16, lr 1e-3". */
export function configLine(config: RunConfig): string {
  const penalty = hasPenalty(config.method) ? [`λ ${formatParameter(config.lambda)}`] : [];
  const rank = config.method === 'rpsft' ? [`k ${formatShare(config.rankFraction)}`] : [];
  const lora = config.lora === undefined ? [] : [loraLabel(config.lora)];
  return [...penalty, ...rank, ...lora, `lr ${formatRate(config.learningRate)}`].join(', ');
}
