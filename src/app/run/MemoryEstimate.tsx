/** @file What a run needs on the graphics device: a stacked bar, and the same as a table in the same order; beyond the limit it is hatched. */
import type { ReactElement } from 'react';
import { heldBy, partsOf } from '../../worker/methods.ts';
import type { Estimate, Fit, MemoryCategory, Precision, RunConfig } from '../../worker/protocol.ts';
import { formatBytes, formatCount, formatShare } from '../format.ts';

const names: Readonly<Record<MemoryCategory, string>> = {
  weights: 'Weights',
  pretrained: 'Pretrained copy W₀',
  adapter: 'Adapters A, B',
  gradients: 'Gradients',
  moments: 'Adam moments',
  activations: 'Activations',
  logits: 'Logits',
  bases: 'SVD bases',
  cache: 'Keys and values of sampling',
  other: 'Batch and scratch',
};

type Setting = Pick<RunConfig, 'method' | 'penalty' | 'lambda' | 'lora' | 'rankFraction' | 'recompute'>;

/** A part by its name, with a few words that say what it depends on. Under adapters the pretrained weights are no copy: they are the model. */
function nameOf(category: MemoryCategory, { tokensPerStep }: Estimate, config: Setting, precision: Precision): string {
  const { lora, rankFraction, recompute } = config;
  if (category === 'pretrained' && lora !== undefined) return `Frozen weights, ${precision}`;
  if (category === 'activations') return `${names.activations}, ${formatCount(tokensPerStep)} tokens${recompute ? ', recomputed' : ''}`;
  return category === 'bases' ? `${heldBy(partsOf(config).penalty) === 'random' ? 'Random bases' : names.bases}, k ${formatShare(rankFraction)}` : names[category];
}

export interface MemoryEstimateProps {
  readonly estimate: Estimate;
  readonly config: Setting;
  readonly precision: Precision;
  /** What a trial allocation could not get. */
  readonly misfit?: Extract<Fit, { fits: false }> | undefined;
}

export function MemoryEstimate({ estimate, config, precision, misfit }: MemoryEstimateProps): ReactElement {
  const parts = estimate.bytes.filter(({ bytes }) => bytes > 0);
  const sum = parts.reduce((total, { bytes }) => total + bytes, 0);
  const limit = misfit === undefined || misfit.stoppedAt >= sum ? undefined : `${(misfit.stoppedAt / sum) * 100}%`;
  const beyond = misfit === undefined ? '' : `; the trial allocation stopped at ${formatBytes(misfit.stoppedAt)}`;
  return (
    <div className="mem">
      <div className="mem-bar" role="img" aria-label={`Memory estimate ${formatBytes(sum)}${beyond}`}>
        {parts.map(({ category, bytes }) => (
          <i key={category} className={`m-${category}`} style={{ width: `${(bytes / sum) * 100}%` }} />
        ))}
        {limit === undefined ? null : (
          <>
            <b className="mem-over" style={{ left: limit }} />
            <b className="mem-limit" style={{ left: limit }} />
          </>
        )}
      </div>
      <table className="mem-key">
        <caption className="vh">Memory of the run by what it holds</caption>
        <tbody>
          {parts.map(({ category, bytes }) => (
            <tr key={category}>
              <td>
                <i className={`m-${category}`} />
              </td>
              <th scope="row">{nameOf(category, estimate, config, precision)}</th>
              <td className="n">{formatBytes(bytes)}</td>
            </tr>
          ))}
          <tr className="sum">
            <td />
            <th scope="row">Sum</th>
            <td className="n">{formatBytes(sum)}</td>
          </tr>
          {estimate.decomposing === undefined ? null : (
            <tr>
              <td />
              <th scope="row">While matrices are decomposed, before</th>
              <td className="n">{formatBytes(estimate.decomposing)}</td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}
