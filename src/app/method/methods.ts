/** @file The methods as the page names and explains them; their colours, dashes and markers are in tokens.css under the same ids. */
import type { MethodId } from '../../worker/protocol.ts';

export interface MethodInfo {
  readonly id: MethodId;
  readonly label: string;
  /** One line under the name. */
  readonly summary: string;
  /** What it does and what it costs, for a person who meets it for the first time. */
  readonly explanation: string;
  /** The same where adapters are trained in place of all weights. */
  readonly loraExplanation: string;
}

/** In the order of the Method station. */
export const methods: readonly MethodInfo[] = [
  {
    id: 'sft',
    label: 'SFT',
    summary: 'Cross-entropy on the answer',
    explanation: 'Plain fine-tuning of all weights. Nothing holds them, so it learns fastest at a given rate and forgets most.',
    loraExplanation: 'Plain fine-tuning of the adapters; the weights under them are frozen. Fewer directions to move in do not by themselves forget less.',
  },
  {
    id: 'rpsft',
    label: 'RPSFT',
    summary: 'Holds each top singular block',
    explanation: 'Penalises change between the strongest directions of each pretrained matrix; all other directions stay free.',
    loraExplanation: 'Penalises what the adapters change between the strongest directions of each pretrained matrix; other directions stay free.',
  },
  {
    id: 'l2sp',
    label: 'L2-SP',
    summary: 'Pulls every weight back',
    explanation: 'Penalises the distance of every weight from its pretrained value. Needs no decomposition.',
    loraExplanation: 'Penalises the size of what the adapters add to each matrix. Needs no decomposition.',
  },
];

const byId = new Map(methods.map((method) => [method.id, method]));

/** Name of a method as figures and tables write it. */
export const methodLabel = (method: MethodId): string => byId.get(method)?.label ?? method;

/** The method adds a penalty, so that λ applies. */
export const hasPenalty = (method: MethodId): boolean => method !== 'sft';
