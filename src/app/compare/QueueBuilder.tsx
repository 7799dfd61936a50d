/** @file Fills the queue: methods with their own parameters, learning rates and seeds, the number of runs they make and the time these take. */
import { useId, type ReactElement } from 'react';
import { choiceName, METHODS, type MethodId } from '../../worker/methods.ts';
import type { RunConfig } from '../../worker/protocol.ts';
import { formatAbout, formatCounted } from '../format.ts';
import { readNumber, type NumberKey } from '../method/fields.ts';
import { usualConfig, type ModelFacts } from '../method/defaults.ts';
import { memoryKey, needsAllWeights, numbersOf, pickSettings, type MethodMemory, type MethodSettings } from '../method/methodSettings.ts';
import { supervised } from '../method/reinforce.ts';
import { Icon } from '../parts/Icon.tsx';
import { useLab } from '../store.ts';
import { addToQueue } from './queue.ts';
import { editBuilder, useCompare, type Builder } from './state.ts';
import { mostRuns, newConfigs, parseList, sweepConfigs, writeList, type Sweep } from './sweep.ts';

interface ListProps {
  readonly label: ReactElement | string;
  /** For those who do not see what stands beside it. */
  readonly name: string;
  readonly field: NumberKey;
  readonly text: string;
  readonly onChange: (text: string) => void;
}

function ListField({ label, name, field, text, onChange }: ListProps): ReactElement {
  const id = useId();
  const { problem } = parseList(text, field);
  return (
    <span className="queue-field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="num"
        value={text}
        aria-label={name}
        aria-invalid={problem === undefined ? undefined : true}
        aria-describedby={problem === undefined ? undefined : `${id}-problem`}
        title="Several values between commas make a sweep"
        autoComplete="off"
        spellCheck={false}
        size={Math.max(5, text.length)}
        onChange={(event) => onChange(event.target.value)}
      />
      {problem === undefined ? null : (
        <span className="err" id={`${id}-problem`}>
          {problem}
        </span>
      )}
    </span>
  );
}

/** What is edited in the Method station. */
interface Edited {
  readonly config: RunConfig;
  readonly memory: MethodMemory;
  readonly model: ModelFacts | undefined;
}

/** A method as it was last set there. */
const settingsOf = (method: MethodId, { config, memory, model }: Edited): MethodSettings =>
  method === config.method ? pickSettings(config) : (memory[memoryKey(method)] ?? pickSettings(usualConfig(model, { method })));

/** The fields of a method with their texts: as typed, else as the method is set. */
const fieldsOf = (builder: Builder, settings: MethodSettings): readonly { readonly id: ReturnType<typeof numbersOf>[number]['id']; readonly symbol: string; readonly text: string }[] =>
  numbersOf(settings).map(({ id, symbol }) => ({ id, symbol, text: builder.values[settings.method]?.[id] ?? writeList([settings[id]], id) }));

const isPossible = (method: MethodId, { lora }: RunConfig): boolean => lora === undefined || !needsAllWeights(method);

/** Counted seeds: at most as many as runs are meant. */
const seedsOf = (text: string): number | undefined => {
  const value = readNumber(text, {});
  return Number.isInteger(value) && value >= 1 && value <= mostRuns ? value : undefined;
};

function Method({ method, builder, edited }: { readonly method: MethodId; readonly builder: Builder; readonly edited: Edited }): ReactElement {
  const possible = isPossible(method, edited.config);
  const chosen = possible && builder.methods.includes(method);
  const settings = settingsOf(method, edited);
  const label = choiceName(settings);
  return (
    <span className="queue-method">
      <label className="chk" title={possible ? undefined : 'Needs all weights, and LoRA is chosen in Method'}>
        <input type="checkbox" disabled={!possible} checked={chosen} onChange={(event) => editBuilder({ methods: event.target.checked ? [...builder.methods, method] : builder.methods.filter((other) => other !== method) })} />
        {label}
      </label>
      {chosen
        ? fieldsOf(builder, settings).map(({ id, symbol, text }) => (
            <ListField key={id} label={<i className="mv">{symbol}</i>} name={`${symbol} of ${label}`} field={id} text={text} onChange={(typed) => editBuilder({ values: { ...builder.values, [method]: { ...builder.values[method], [id]: typed } } })} />
          ))
        : null}
    </span>
  );
}

/** The sweep that the fields describe; undefined while one of them cannot be read. */
function sweepOf(builder: Builder, edited: Edited): Sweep | undefined {
  const rates = parseList(builder.rates ?? writeList([edited.config.learningRate], 'learningRate'), 'learningRate');
  const seeds = seedsOf(builder.seeds);
  const chosen = METHODS.filter(({ id }) => builder.methods.includes(id) && isPossible(id, edited.config)).map(({ id: method }) => {
    const settings = settingsOf(method, edited);
    return { settings, lists: fieldsOf(builder, settings).map(({ id, text }) => ({ id, ...parseList(text, id) })) };
  });
  const isBad = rates.problem !== undefined || chosen.some(({ lists }) => lists.some(({ problem }) => problem !== undefined));
  if (isBad || seeds === undefined || chosen.length === 0) return undefined;
  return { rates: rates.values, seeds, methods: chosen.map(({ settings, lists }) => ({ settings, values: Object.fromEntries(lists.map(({ id, values }) => [id, values])) })) };
}

export function QueueBuilder(): ReactElement {
  const seedsId = useId();
  const sumId = useId();
  const builder = useCompare((state) => state.builder);
  const memory = useLab((state) => state.memory);
  const model = useLab((state) => state.model);
  const config = supervised(useLab((state) => state.config), model);
  const dataset = useLab((state) => state.datasets.train?.name);
  const runs = useLab((state) => state.runs).filter((run) => run.dataset === dataset);
  const items = useLab((state) => state.queue.items).filter((item) => item.dataset === dataset);
  const seconds = useLab((state) => state.estimate?.seconds);
  const ready = useLab((state) => state.connection === 'ready' && state.datasets.train !== undefined);
  const edited = { config, memory, model };
  const sweep = sweepOf(builder, edited);
  const all = sweep === undefined ? [] : sweepConfigs(config, sweep);
  const added = newConfigs(all, runs, items);
  const known = all.length - added.length;
  const tooMany = added.length > mostRuns;
  const time = seconds === undefined || added.length === 0 ? '' : `, ${formatAbout(seconds * added.length)}`;
  return (
    <form
      className="queue-builder"
      aria-label="Queue runs"
      onSubmit={(event) => {
        event.preventDefault();
        if (added.length > 0 && !tooMany) void addToQueue(added);
      }}
    >
      <b>Queue</b>
      {METHODS.map(({ id }) => (
        <Method key={id} method={id} builder={builder} edited={edited} />
      ))}
      <span aria-hidden="true">×</span>
      <ListField label="lr" name="Learning rates" field="learningRate" text={builder.rates ?? writeList([config.learningRate], 'learningRate')} onChange={(rates) => editBuilder({ rates })} />
      <span aria-hidden="true">×</span>
      <span className="queue-field">
        <label htmlFor={seedsId}>Seeds</label>
        <input id={seedsId} className="num" size={3} inputMode="numeric" value={builder.seeds} aria-invalid={seedsOf(builder.seeds) === undefined || undefined} onChange={(event) => editBuilder({ seeds: event.target.value })} />
      </span>
      <span className="queue-sum" id={sumId}>
        {tooMany ? `${formatCounted(added.length, 'run')}: at most ${mostRuns} at once` : `${formatCounted(added.length, 'run')}${time}`}
        {known === 0 ? null : <small>{known} of {all.length} are here already</small>}
      </span>
      <button type="submit" className="btn" aria-describedby={sumId} disabled={!ready || added.length === 0 || tooMany}>
        <Icon name="plus" />
        Add to queue
      </button>
      <p className="foot">Everything else is as set in Method: {formatCounted(config.steps, 'step')} of {formatCounted(config.batchSize, 'row')}{config.lora === undefined ? '' : `, LoRA r ${config.lora.rank}`}, seeds from {config.seed}. Several values between commas make a sweep.</p>
    </form>
  );
}
