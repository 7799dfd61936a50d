/** @file The parameters of the chosen method, its formula, and what k comes to in the matrices of this model. */
import type { ReactElement } from 'react';
import type { Estimate } from '../../worker/protocol.ts';
import { formatCount, formatCounted, formatRange } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { NumberField } from '../parts/NumberField.tsx';
import { editConfig, useLab } from '../store.ts';
import { checkConfig } from './fields.ts';
import { Formula } from './Formula.tsx';
import type { MethodInfo } from './methods.ts';

/** λ spans orders of magnitude, so its slider is logarithmic, over these powers of ten. */
const lambdaPowers = { least: -4, most: 3 } as const;

/** Says how many directions are held, and warns where all of them are. */
function RankNote({ rank }: { readonly rank: Estimate['rank'] }): ReactElement {
  const degenerate = rank.degenerate.length;
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
            In {formatCounted(degenerate, 'matrix', 'matrices')} <i className="mv">k</i> is the full rank: nothing is left free there, so RPSFT is L2-SP. {rank.degenerate[0]}
            {degenerate > 1 ? ` and ${formatCount(degenerate - 1)} more` : ''}.
          </span>
        </p>
      )}
    </>
  );
}

export function MethodParameters({ method }: { readonly method: MethodInfo }): ReactElement {
  const config = useLab((state) => state.config);
  const contextLength = useLab((state) => state.model?.contextLength);
  const rank = useLab((state) => state.estimate?.rank);
  const problems = checkConfig(config, contextLength);
  const power = config.lambda > 0 ? Math.log10(config.lambda) : lambdaPowers.least;
  return (
    <div className="params">
      <Formula method={method.id} lora={config.lora} />
      <p className="help">{config.lora === undefined ? method.explanation : method.loraExplanation}</p>
      {method.id === 'sft' ? null : (
        <NumberField
          field="lambda"
          label={
            <>
              <i className="mv">λ</i> strength
            </>
          }
          value={config.lambda}
          problem={problems.lambda}
          onChange={(lambda) => editConfig({ lambda })}
          slider={
            <input
              type="range"
              aria-label="λ, logarithmic"
              min={lambdaPowers.least}
              max={lambdaPowers.most}
              step={0.25}
              value={power}
              aria-valuetext={String(config.lambda)}
              onChange={(event) => editConfig({ lambda: Number((10 ** Number(event.target.value)).toPrecision(2)) })}
            />
          }
        />
      )}
      {method.id === 'rpsft' ? (
        <>
          <NumberField
            field="rankFraction"
            label={
              <>
                <i className="mv">k</i> share of rank
              </>
            }
            value={config.rankFraction}
            problem={problems.rankFraction}
            onChange={(rankFraction) => editConfig({ rankFraction })}
            slider={
              <input
                type="range"
                aria-label="k as a share of the rank"
                min={0.05}
                max={1}
                step={0.05}
                value={config.rankFraction}
                aria-valuetext={`${Math.round(config.rankFraction * 100)}%`}
                onChange={(event) => editConfig({ rankFraction: Number(event.target.value) })}
              />
            }
          />
          {rank === undefined ? null : <RankNote rank={rank} />}
        </>
      ) : null}
    </div>
  );
}
