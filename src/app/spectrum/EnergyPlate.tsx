/** @file How much of the change of a matrix lies inside its top singular block, split into values and rotation, against chance. */
import type { ReactElement } from 'react';
import { Plate } from '../charts/Plate.tsx';
import { seriesColour } from '../charts/series.ts';
import { Swatch } from '../charts/Swatch.tsx';
import type { TableData } from '../charts/table.ts';
import { formatPercent, formatParameter } from '../format.ts';
import type { RunMatrix } from './spectrumRun.ts';

/** 3.46%, or 0.0031% where two decimals would show nothing. */
const fine = (share: number): string => `${share * 100 >= 0.01 || share === 0 ? (share * 100).toFixed(2) : formatParameter(share * 100)}%`;

function tableOf(runs: readonly RunMatrix[]): TableData {
  return {
    columns: [
      { title: 'Run' },
      { title: 'Inside', format: fine },
      { title: 'Values', format: fine },
      { title: 'Rotation', format: fine },
      { title: 'Outside', format: fine },
      { title: 'Chance', format: fine },
    ],
    rows: runs.map(({ name, matrix: { block } }) => [name, block.share, block.diagonal, block.offDiagonal, 1 - block.share, block.chance]),
  };
}

/** One row per run; solid is the diagonal of the block, hatched the rest, the line is chance. */
export function EnergyPlate({ runs }: { readonly runs: readonly RunMatrix[] }): ReactElement {
  const end = Math.max(...runs.map(({ matrix: { block } }) => Math.max(block.share, block.chance) * 1.25));
  const width = (share: number): string => `${((share / end) * 100).toFixed(2)}%`;
  const chance = runs[0]?.matrix.block.chance ?? 0;
  return (
    <Plate
      title="Energy of the change inside the block"
      unit="share of ‖ΔW‖²; line: chance"
      span={6}
      height={120}
      legend={runs.map(({ name, method }) => ({ name, method }))}
      table={() => tableOf(runs)}
      foot={
        <>
          Values: the diagonal of UᵀΔWV. Rotation: the rest of the block, where top singular vectors mix. Outside: everything else, the turn of the subspaces against the rest included. Chance is {formatPercent(chance)}{' '}
          for this shape and k. It is a share: a small one does not say that the weights moved little.
        </>
      }
    >
      <table className="tbl spectrum-energy">
        <thead>
          <tr>
            <td />
            <td />
            <th scope="col" className="n">
              Inside
            </th>
            <th scope="col" className="n">
              Values
            </th>
            <th scope="col" className="n">
              Rotation
            </th>
            <th scope="col" className="n">
              Outside
            </th>
          </tr>
        </thead>
        <tbody>
          {runs.map(({ id, name, method, matrix: { block } }) => (
            <tr key={id}>
              <th scope="row">
                <Swatch method={method} />
                {name}
              </th>
              <td className="spectrum-bar">
                <svg width="100%" height="20" aria-hidden="true">
                  <defs>
                    <pattern id={`hatch-${method}`} width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
                      <rect width="2" height="4" fill={seriesColour(method)} />
                    </pattern>
                  </defs>
                  <rect y="4" height="12" width={width(block.share)} fill={`url(#hatch-${method})`} stroke={seriesColour(method)} />
                  <rect y="4" height="12" width={width(block.diagonal)} fill={seriesColour(method)} />
                  <line x1={width(block.chance)} x2={width(block.chance)} y1="0" y2="20" stroke="var(--ink)" />
                </svg>
              </td>
              <td className="n">{fine(block.share)}</td>
              <td className="n">{fine(block.diagonal)}</td>
              <td className="n">{fine(block.offDiagonal)}</td>
              <td className="n">{fine(1 - block.share)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Plate>
  );
}
