/** @file All metrics of one matrix, side by side. */
import type { ReactElement } from 'react';
import { Plate } from '../charts/Plate.tsx';
import { Swatch } from '../charts/Swatch.tsx';
import { metrics } from './metrics.ts';
import type { RunMatrix } from './spectrumRun.ts';

/** A row per metric, a column per run. */
export function NumbersPlate({ runs }: { readonly runs: readonly RunMatrix[] }): ReactElement {
  const legend = runs.map(({ name, method }) => ({ name, method }));
  return (
    <Plate
      title="All metrics"
      unit="of this matrix"
      span={6}
      height={240}
      legend={legend}
      foot="Measured exactly from the weights, on one seed each."
      table={() => ({
        columns: [{ title: 'Metric' }, ...runs.map(({ name }) => ({ title: name }))],
        rows: metrics.map((metric) => [`${metric.label}, ${metric.unit}`, ...runs.map(({ matrix }) => metric.value(matrix))]),
      })}
    >
      <table className="tbl spectrum-numbers">
        <thead>
          <tr>
            <th scope="col">Metric</th>
            {runs.map(({ id, name, method }) => (
              <th key={id} scope="col" className="n">
                <Swatch method={method} /> {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {metrics.map((metric) => (
            <tr key={metric.id}>
              <th scope="row">
                {metric.label} <small>{metric.unit}</small>
              </th>
              {runs.map(({ id, matrix }) => (
                <td key={id} className="n">
                  {metric.text(metric.value(matrix))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Plate>
  );
}
