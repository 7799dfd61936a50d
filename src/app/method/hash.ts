/** @file The edited run in the address of the page, so that a link carries a setting. Only what differs from the defaults of the built-in model, and never any data. */
import { addedPenalty, isMethod, isPenalty } from '../../worker/methods.ts';
import type { FollowConfig, LoraConfig, ReinforceConfig, RunConfig } from '../../worker/protocol.ts';
import { tabIds, useLab, type TabId } from '../store.ts';
import { defaultConfig, defaultLora, defaultReinforce, defaultTargets, usualConfig } from './defaults.ts';
import { checkConfig, fieldProblem, isIdle, numberFields, reinforceKeys, type NumberKey } from './fields.ts';
import { remember } from './methodSettings.ts';

const numberKeys = Object.keys(numberFields).filter((key): key is NumberKey => key in defaultConfig);
const schedules: readonly RunConfig['schedule'][] = ['constant', 'linear', 'cosine'];

/** The adapters: `lora=16` turns them on; alpha, layers and scale only where they are not the usual ones. */
function writeLora(parts: URLSearchParams, { rank, alpha, targets, rsLora }: LoraConfig, usualTargets: readonly string[]): void {
  parts.set('lora', String(rank));
  if (alpha !== defaultLora.alpha) parts.set('alpha', String(alpha));
  if (targets.length > 0 && targets.join() !== usualTargets.join()) parts.set('targets', targets.join(' '));
  if (rsLora) parts.set('rslora', 'on');
}

/** Layers are checked against the model once it is open. */
function readLora(parts: URLSearchParams): LoraConfig | undefined {
  if (!parts.has('lora')) return undefined;
  const lora: LoraConfig = {
    rank: Number(parts.get('lora')),
    alpha: Number(parts.get('alpha') ?? defaultLora.alpha),
    targets: (parts.get('targets') ?? '').split(' ').filter(Boolean),
    rsLora: parts.get('rslora') === 'on',
  };
  const { loraRank, loraAlpha } = checkConfig({ ...defaultConfig, lora });
  return loraRank === undefined && loraAlpha === undefined ? lora : undefined;
}

function writeMethod(parts: URLSearchParams, { method, penalty, throughScale }: RunConfig): void {
  if (method !== defaultConfig.method) parts.set('method', method);
  if (penalty !== undefined) parts.set('penalty', penalty);
  if (throughScale) parts.set('throughScale', 'on');
}

/** GRPO: `grpo=on`, and what is not usual. The run it starts from stays out: another page does not have it. */
function writeReinforce(parts: URLSearchParams, reinforce: ReinforceConfig): void {
  parts.set('grpo', 'on');
  for (const key of reinforceKeys) if (reinforce[key] !== defaultReinforce[key] && fieldProblem(key, reinforce[key]) === undefined) parts.set(key, String(reinforce[key]));
}

function readReinforce(parts: URLSearchParams): ReinforceConfig | undefined {
  if (parts.get('grpo') !== 'on') return undefined;
  const asked = reinforceKeys.filter((key) => parts.get(key) && fieldProblem(key, Number(parts.get(key))) === undefined);
  return { ...defaultReinforce, ...Object.fromEntries(asked.map((key) => [key, Number(parts.get(key))])) };
}

/** "follow=states outputs", and how often where that is not as often as the suites. */
function writeFollow(parts: URLSearchParams, { every, states, outputs }: FollowConfig, evaluateEvery: number): void {
  parts.set('follow', [...(states ? ['states'] : []), ...(outputs ? ['outputs'] : [])].join(' '));
  if (every !== evaluateEvery) parts.set('followEvery', String(every));
}

function readFollow(parts: URLSearchParams, evaluateEvery: number): FollowConfig | undefined {
  const words = (parts.get('follow') ?? '').split(' ');
  const follow = { every: Number(parts.get('followEvery') ?? evaluateEvery), states: words.includes('states'), outputs: words.includes('outputs') };
  return (follow.states || follow.outputs) && fieldProblem('followEvery', follow.every) === undefined ? follow : undefined;
}

/** k counts for every method: the spectrum is measured in it. */
const isWritten = (key: NumberKey, config: RunConfig): boolean => key === 'rankFraction' || !isIdle(key, config);

/** "method=sft&steps=600", empty for the defaults. A value that is out of range is left out; `usualTargets` are the layers LoRA adapts by default. */
export function writeHash(config: RunConfig, tab: TabId, usualTargets: readonly string[] = []): string {
  const problems = checkConfig(config);
  const parts = new URLSearchParams();
  const usual = usualConfig(undefined, config);
  if (tab !== 'train') parts.set('tab', tab);
  if (config.reinforce === undefined) writeMethod(parts, config);
  else writeReinforce(parts, config.reinforce);
  if (config.lora !== undefined && problems.loraRank === undefined && problems.loraAlpha === undefined) writeLora(parts, config.lora, usualTargets);
  if (config.recompute) parts.set('recompute', 'on');
  if (config.follow !== undefined && problems.followEvery === undefined) writeFollow(parts, config.follow, config.evaluateEvery);
  if (config.schedule !== usual.schedule) parts.set('schedule', config.schedule);
  for (const key of numberKeys) if (config[key] !== usual[key] && problems[key] === undefined && isWritten(key, config)) parts.set(key, String(config[key]));
  return parts.toString();
}

/** What an address asks for; what it misspells or puts out of range is as if it were not there. */
export function readHash(hash: string): { readonly config: RunConfig; readonly tab: TabId } {
  const parts = new URLSearchParams(hash.replace(/^#/, ''));
  const [askedMethod, askedPenalty] = [parts.get('method'), parts.get('penalty')];
  const method = isMethod(askedMethod) ? askedMethod : defaultConfig.method;
  // Beside SFT or beside another penalty it would mean nothing.
  const penalty = isPenalty(askedPenalty) ? addedPenalty({ method, lambda: 0, penalty: askedPenalty }) : undefined;
  const reinforce = readReinforce(parts);
  const own = usualConfig(undefined, { method, penalty, lora: readLora(parts), reinforce });
  const usual: RunConfig = {
    ...own, ...(reinforce === undefined ? {} : { reinforce }),
    throughScale: method === 'iw-sft' && parts.get('throughScale') === 'on',
    schedule: schedules.find((known) => known === parts.get('schedule')) ?? own.schedule,
    recompute: parts.get('recompute') === 'on',
  };
  const asked = Object.fromEntries(numberKeys.flatMap((key) => (parts.get(key) && isWritten(key, usual) ? [[key, Number(parts.get(key))]] : [])));
  const problems = checkConfig({ ...usual, ...asked });
  const known = { ...usual, ...Object.fromEntries(Object.entries(asked).filter(([key]) => problems[key as NumberKey] === undefined)) };
  const follow = readFollow(parts, known.evaluateEvery);
  const config = follow === undefined ? known : { ...known, follow };
  return { config, tab: tabIds.find((tab) => tab === parts.get('tab')) ?? 'train' };
}

/** Takes the settings of the address, and from then on keeps the address up to date. Called once. */
export function followHash(): void {
  const { config, tab } = readHash(location.hash);
  useLab.setState(({ memory }) => ({ config, tab, memory: remember(memory, config) }));
  useLab.subscribe((now, before) => {
    if (now.config === before.config && now.tab === before.tab) return;
    const hash = writeHash(now.config, now.tab, now.model === undefined ? [] : defaultTargets(now.model));
    history.replaceState(null, '', hash === '' ? location.pathname + location.search : `#${hash}`);
  });
}
