/** @file Fills the queue: methods with their own parameters, learning rates and seeds, the number of runs they make and the time these take. */
import { useId, type ReactElement } from 'react';
import type { MethodId, RunConfig } from '../../worker/protocol.ts';
import { formatAbout, formatCounted } from '../format.ts';
import { readNumber, type NumberKey } from '../method/fields.ts';
import { methodLabel, methods } from '../method/methods.ts';
import { Icon } from '../parts/Icon.tsx';
import { useLab } from '../store.ts';
import { usesLambda, usesRank } from './groups.ts';
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

/** The texts of a method's fields: as typed, else as the edited run has them. */
const textsOf = (builder: Builder, method: MethodId, config: RunConfig, lambda: number): { readonly lambdas: string; readonly ranks: string } => ({
  lambdas: builder.lambdas[method] ?? writeList([lambda], 'lambda'),
  ranks: builder.ranks[method] ?? writeList([config.rankFraction], 'rankFraction'),
});

/** Counted seeds: at most as many as runs are meant. */
const seedsOf = (text: string): number | undefined => {
  const value = readNumber(text, {});
  return Number.isInteger(value) && value >= 1 && value <= mostRuns ? value : undefined;
};

function Method({ method, label, builder, config, lambda }: { readonly method: MethodId; readonly label: string; readonly builder: Builder; readonly config: RunConfig; readonly lambda: number }): ReactElement {
  const chosen = builder.methods.includes(method);
  const { lambdas, ranks } = textsOf(builder, method, config, lambda);
  return (
    <span className="queue-method">
      <label className="chk">
        <input type="checkbox" checked={chosen} onChange={(event) => editBuilder({ methods: event.target.checked ? [...builder.methods, method] : builder.methods.filter((other) => other !== method) })} />
        {label}
      </label>
      {chosen && usesLambda(method) ? <ListField label={<i className="mv">λ</i>} name={`λ of ${label}`} field="lambda" text={lambdas} onChange={(text) => editBuilder({ lambdas: { ...builder.lambdas, [method]: text } })} /> : null}
      {chosen && usesRank(method) ? <ListField label={<i className="mv">k</i>} name={`k of ${label}`} field="rankFraction" text={ranks} onChange={(text) => editBuilder({ ranks: { ...builder.ranks, [method]: text } })} /> : null}
    </span>
  );
}

/** The sweep that the fields describe; undefined while one of them cannot be read. */
function sweepOf(builder: Builder, config: RunConfig, lambdas: Readonly<Record<MethodId, number>>): Sweep | undefined {
  const rates = parseList(builder.rates ?? writeList([config.learningRate], 'learningRate'), 'learningRate');
  const seeds = seedsOf(builder.seeds);
  const chosen = methods.flatMap(({ id }) => {
    if (!builder.methods.includes(id)) return [];
    const texts = textsOf(builder, id, config, id === config.method ? config.lambda : lambdas[id]);
    return [{ method: id, lambda: parseList(texts.lambdas, 'lambda'), rank: parseList(texts.ranks, 'rankFraction') }];
  });
  const isBad = rates.problem !== undefined || seeds === undefined || chosen.some(({ method, lambda, rank }) => (usesLambda(method) && lambda.problem !== undefined) || (usesRank(method) && rank.problem !== undefined));
  if (isBad || chosen.length === 0) return undefined;
  return { rates: rates.values, seeds, methods: chosen.map(({ method, lambda, rank }) => ({ method, lambdas: usesLambda(method) ? lambda.values : [], ranks: usesRank(method) ? rank.values : [] })) };
}

export function QueueBuilder(): ReactElement {
  const seedsId = useId();
  const sumId = useId();
  const builder = useCompare((state) => state.builder);
  const config = useLab((state) => state.config);
  const lambdas = useLab((state) => state.lambdas);
  const runs = useLab((state) => state.runs);
  const items = useLab((state) => state.queue.items);
  const seconds = useLab((state) => state.estimate?.seconds);
  const ready = useLab((state) => state.connection === 'ready' && state.datasets.train !== undefined);
  const sweep = sweepOf(builder, config, lambdas);
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
      {methods.map(({ id }) => (
        <Method key={id} method={id} label={methodLabel(id)} builder={builder} config={config} lambda={id === config.method ? config.lambda : lambdas[id]} />
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
