/** @file The edited run in the address of the page, so that a link carries a setting. Only what differs from the defaults, and never any data. */
import type { RunConfig } from '../../worker/protocol.ts';
import { tabIds, useLab, type TabId } from '../store.ts';
import { defaultConfig, defaultLambdas } from './defaults.ts';
import { checkConfig, numberFields, type NumberKey } from './fields.ts';
import { methods } from './methods.ts';

const numberKeys = Object.keys(numberFields) as readonly NumberKey[];
const schedules: readonly RunConfig['schedule'][] = ['constant', 'linear', 'cosine'];

/** "method=sft&steps=600", empty for the defaults. A value that is out of range is left out. */
export function writeHash(config: RunConfig, tab: TabId): string {
  const problems = checkConfig(config);
  const parts = new URLSearchParams();
  if (tab !== 'train') parts.set('tab', tab);
  if (config.method !== defaultConfig.method) parts.set('method', config.method);
  if (config.schedule !== defaultConfig.schedule) parts.set('schedule', config.schedule);
  for (const key of numberKeys) {
    const usual = key === 'lambda' ? defaultLambdas[config.method] : defaultConfig[key];
    if (config[key] !== usual && problems[key] === undefined) parts.set(key, String(config[key]));
  }
  return parts.toString();
}

/** What an address asks for; what it misspells or puts out of range is as if it were not there. */
export function readHash(hash: string): { readonly config: RunConfig; readonly tab: TabId } {
  const parts = new URLSearchParams(hash.replace(/^#/, ''));
  const method = methods.find(({ id }) => id === parts.get('method'))?.id ?? defaultConfig.method;
  const schedule = schedules.find((known) => known === parts.get('schedule')) ?? defaultConfig.schedule;
  const usual: RunConfig = { ...defaultConfig, method, schedule, lambda: defaultLambdas[method] };
  const asked = Object.fromEntries(numberKeys.flatMap((key) => (parts.get(key) ? [[key, Number(parts.get(key))]] : [])));
  const problems = checkConfig({ ...usual, ...asked });
  const config = { ...usual, ...Object.fromEntries(Object.entries(asked).filter(([key]) => problems[key as NumberKey] === undefined)) };
  return { config, tab: tabIds.find((tab) => tab === parts.get('tab')) ?? 'train' };
}

/** Takes the settings of the address, and from then on keeps the address up to date. Called once. */
export function followHash(): void {
  const { config, tab } = readHash(location.hash);
  useLab.setState(({ lambdas }) => ({ config, tab, lambdas: { ...lambdas, [config.method]: config.lambda } }));
  useLab.subscribe((now, before) => {
    if (now.config === before.config && now.tab === before.tab) return;
    const hash = writeHash(now.config, now.tab);
    history.replaceState(null, '', hash === '' ? location.pathname + location.search : `#${hash}`);
  });
}
