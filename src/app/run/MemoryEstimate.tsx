/** @file What a run needs on the graphics device: a stacked bar, and the same as a table in the same order. */
import type { ReactElement } from 'react';
import type { Estimate } from '../../worker/protocol.ts';
import { formatBytes, formatCount, formatShare } from '../format.ts';

type Category = Estimate['bytes'][number]['category'];

const names: Readonly<Record<Category, string>> = {
  weights: 'Weights',
  pretrained: 'Pretrained copy W₀',
  gradients: 'Gradients',
  moments: 'Adam moments',
  activations: 'Activations',
  logits: 'Logits',
  bases: 'SVD bases',
};

/** A few words that say what a part depends on. */
function detail(category: Category, { tokensPerStep }: Estimate, rankFraction: number): string {
  if (category === 'activations') return `, ${formatCount(tokensPerStep)} tokens`;
  return category === 'bases' ? `, k ${formatShare(rankFraction)}` : '';
}

export function MemoryEstimate({ estimate, rankFraction }: { readonly estimate: Estimate; readonly rankFraction: number }): ReactElement {
  const parts = estimate.bytes.filter(({ bytes }) => bytes > 0);
  const sum = parts.reduce((total, { bytes }) => total + bytes, 0);
  return (
    <div className="mem">
      <div className="mem-bar" role="img" aria-label={`Memory estimate ${formatBytes(sum)}`}>
        {parts.map(({ category, bytes }) => (
          <i key={category} className={`m-${category}`} style={{ width: `${(bytes / sum) * 100}%` }} />
        ))}
      </div>
      <table className="mem-key">
        <caption className="vh">Memory of the run by what it holds</caption>
        <tbody>
          {parts.map(({ category, bytes }) => (
            <tr key={category}>
              <td>
                <i className={`m-${category}`} />
              </td>
              <th scope="row">
                {names[category]}
                {detail(category, estimate, rankFraction)}
              </th>
              <td className="n">{formatBytes(bytes)}</td>
            </tr>
          ))}
          <tr className="sum">
            <td />
            <th scope="row">Sum</th>
            <td className="n">{formatBytes(sum)}</td>
          </tr>
        </tbody>
      </table>
    </div>
  );
}
