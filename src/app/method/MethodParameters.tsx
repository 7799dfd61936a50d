/** @file The chosen method: what it does and minimises, its parameters, what k comes to in this model, what it costs and where it comes from. */
import { Fragment, useId, type ReactElement } from 'react';
import { addedPenalty, choiceName, METHODS, methodInfo, parametersOf, partsOf, type MethodInfo, type MethodSource } from '../../worker/methods.ts';
import type { Estimate, PenaltyId, RunConfig } from '../../worker/protocol.ts';
import { formatCount, formatCounted, formatRange } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { holdBeside, useLab } from '../store.ts';
import { checkConfig } from './fields.ts';
import { Formula } from './Formula.tsx';
import { ParameterField } from './ParameterField.tsx';

/** Says how many directions are held, and warns where all of them are. */
function RankNote({ rank, config }: { readonly rank: Estimate['rank']; readonly config: RunConfig }): ReactElement {
  const degenerate = rank.degenerate.length;
  const { penalty } = partsOf(config);
  return (
    <>
      <p className="help">
        <i className="mv">k</i> = {formatRange(rank.least, rank.most)} {rank.least === rank.most ? 'in every matrix' : 'by the size of the matrix'}.
        {degenerate === 0 ? ' Nowhere is that the full rank.' : ''}
      </p>
      {degenerate === 0 ? null : (
        <p className="note warn">
          <Icon name="alert" />
          <span>
            In {formatCounted(degenerate, 'matrix', 'matrices')} <i className="mv">k</i> is the full rank: nothing is left free there
            {penalty === undefined || penalty === 'projection' ? '' : `, so ${methodInfo(penalty).name} is L2-SP`}. {rank.degenerate[0]}
            {degenerate > 1 ? ` and ${formatCount(degenerate - 1)} more` : ''}.
          </span>
        </p>
      )}
    </>
  );
}

function Source({ source: { title, authors, url } }: { readonly source: MethodSource }): ReactElement {
  if (url === undefined) return <p className="help">{`${title}, ${authors}.`}</p>;
  return (
    <p className="help">
      From{' '}
      <a href={url} target="_blank" rel="noreferrer">
        {title}
      </a>
      , {authors}.
    </p>
  );
}

/** What a step takes beyond one of SFT, of the method and of the penalty beside it. */
function costOf(config: RunConfig): string {
  const costs = [config.method, addedPenalty(config) ?? []].flat().map((id) => methodInfo(id).cost).filter((cost) => cost !== 'none');
  return costs.length === 0 ? 'A step costs what one of SFT does.' : `A step costs beyond one of SFT: ${costs.join('; ')}.`;
}

/** Penalties that go beside another objective: those whose strength can be set. */
const penalties = METHODS.filter(({ penalty, parameters }) => penalty !== undefined && parameters.some(({ id }) => id === 'lambda'));

function HoldWith({ config }: { readonly config: RunConfig }): ReactElement {
  const added = addedPenalty(config);
  const helpId = useId();
  const option = ({ id, name, summary }: MethodInfo): ReactElement => (
    <option key={id} value={id} title={summary}>
      {name}
    </option>
  );
  return (
    <>
      <label className="stack">
        And hold with
        <select value={added ?? ''} aria-describedby={helpId} onChange={(event) => holdBeside(event.target.value === '' ? undefined : (event.target.value as PenaltyId))}>
          <option value="">nothing</option>
          {penalties.filter(({ control }) => !control).map(option)}
          <optgroup label="Controls">{penalties.filter(({ control }) => control).map(option)}</optgroup>
        </select>
      </label>
      <p className="help" id={helpId}>
        {added === undefined ? 'A penalty on the weights beside this objective.' : `${methodInfo(added).explanation} The run is called ${choiceName(config)}.`}
      </p>
    </>
  );
}

export function MethodParameters(): ReactElement {
  const config = useLab((state) => state.config);
  const contextLength = useLab((state) => state.model?.contextLength);
  const rank = useLab((state) => state.estimate?.rank);
  const { id, explanation, source, penalty } = methodInfo(config.method);
  const problems = checkConfig(config, contextLength);
  return (
    <div className="params">
      <Formula config={config} />
      <p className="help">{explanation}</p>
      {penalty === undefined && id !== 'sft' ? (
        <HoldWith config={config} />
      ) : null}
      {parametersOf(config).map((parameter) => (
        <Fragment key={parameter.id}>
          <ParameterField parameter={parameter} problem={parameter.kind === 'flag' ? undefined : problems[parameter.id]} />
          {parameter.id === 'rankFraction' && rank !== undefined ? <RankNote rank={rank} config={config} /> : null}
        </Fragment>
      ))}
      <p className="help">{costOf(config)}</p>
      <Source source={source} />
    </div>
  );
}
