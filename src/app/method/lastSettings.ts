/**
 * @file The edited run from one visit to the next: every setting, those remembered of other methods included, as they were for the model that was open.
 * The address carries settings too, fewer of them and to other machines; an address that asks for something else goes first.
 */
import type { LoraConfig, ModelSummary, RunConfig } from '../../worker/protocol.ts';
import { stored, store } from '../frame/preferences.ts';
import { hasWeights } from '../runs.ts';
import { useLab, type LabState } from '../store.ts';
import { defaultConfig, defaultTargets } from './defaults.ts';
import { checkConfig } from './fields.ts';
import { readHash, writeHash } from './hash.ts';
import type { MethodMemory } from './methodSettings.ts';
import { supervised } from './reinforce.ts';

const key = 'gimbal.settings';

/** As the page was opened with it: from then on the address follows the settings. */
const arrived = (globalThis as { location?: Location }).location?.hash ?? '';

interface LastSettings {
  readonly model: string;
  readonly config: RunConfig;
  readonly memory: MethodMemory;
  readonly lora: LoraConfig;
}

const nameOf = ({ source, name, revision = '' }: ModelSummary): string => [source, name, revision].join(' ');

const isSettings = (value: unknown): value is LastSettings => typeof value === 'object' && value !== null && 'model' in value && 'config' in value && 'memory' in value && 'lora' in value;

function read(): LastSettings | undefined {
  try {
    const value: unknown = JSON.parse(stored(key) ?? '');
    return isSettings(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Those of a version that knew other methods or ranges are left. */
const isValid = (config: RunConfig, model: ModelSummary): boolean => Object.keys(defaultConfig).every((name) => name in config) && Object.keys(checkConfig(config, model.contextLength)).length === 0;

/** GRPO, and a run that starts from another, need that one. */
function withStart(config: RunConfig, { runs, model }: LabState): RunConfig {
  const { startFrom, ...rest } = config;
  return startFrom === undefined || runs.some((run) => run.id === startFrom && hasWeights(run)) ? config : supervised(rest, model);
}

/** The address asks for nothing, or for what was set last. */
function isAsked(last: RunConfig, model: ModelSummary): boolean {
  const asked = (hash: string): string => writeHash(readHash(hash).config, 'train');
  const nothing = writeHash(defaultConfig, 'train');
  return [nothing, asked(writeHash(last, 'train', defaultTargets(model)))].includes(asked(arrived));
}

/** Takes up the settings of the last visit and from then on keeps those that are edited. To be called when the model is open and kept runs are there. */
export function restoreSettings(): void {
  const last = read();
  const state = useLab.getState();
  const { model } = state;
  if (last !== undefined && model !== undefined && last.model === nameOf(model) && isValid(last.config, model) && isAsked(last.config, model)) {
    useLab.setState({ config: withStart(last.config, state), memory: last.memory, lora: last.lora });
  }
  useLab.subscribe((now, before) => {
    if (now.model === undefined || (now.config === before.config && now.model === before.model)) return;
    const { config, memory, lora } = now;
    store(key, JSON.stringify({ model: nameOf(now.model), config, memory, lora } satisfies LastSettings));
  });
}
