/** @file A run in one line. */
import type { RunConfig } from '../../worker/protocol.ts';
import { formatParameter, formatRate, formatShare } from '../format.ts';
import { hasPenalty } from './methods.ts';

/** The settings that matter most, as stations show them: "λ 10, k 50%, lr 5e-4". */
export function configLine(config: RunConfig): string {
  const penalty = hasPenalty(config.method) ? [`λ ${formatParameter(config.lambda)}`] : [];
  const rank = config.method === 'rpsft' ? [`k ${formatShare(config.rankFraction)}`] : [];
  return [...penalty, ...rank, `lr ${formatRate(config.learningRate)}`].join(', ');
}
