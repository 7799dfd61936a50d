/** @file What each group keeps out-of-domain when its in-domain accuracy first reaches the same level. A click on a row makes it the reference. */
import type { ReactElement } from 'react';
import { Plate } from '../charts/Plate.tsx';
import { Swatch } from '../charts/Swatch.tsx';
import type { TableData } from '../charts/table.ts';
import { formatInterval, formatPercent, formatPercentValue, formatShare } from '../format.ts';
import type { ComparedGroup, Comparison } from './comparison.ts';
import { hoverRow } from './highlight.ts';
import { keptRows, seedText, type KeptRow } from './keptRows.ts';
import { setReference, useCompare } from './state.ts';
import type { Kept } from './statistics.ts';

const marks = { up: '▲', down: '▼' } as const;

function Cell({ kept, mark, one }: { readonly kept: Kept; readonly mark: 'up' | 'down' | undefined; readonly one: ComparedGroup }): ReactElement {
  if (kept.value === undefined) return <td className="n na">not reached</td>;
  const items = one.runs[0]?.evaluations.at(-1)?.outOfDomain.items;
  return (
    <td className={mark === undefined ? 'n' : `n kept-${mark}`}>
      {mark === undefined ? null : (
        <span className="kept-mark" role="img" aria-label={mark === 'up' ? 'more than the reference' : 'less than the reference'}>
          {marks[mark]}
        </span>
      )}
      {formatPercentValue(kept.value.mean, items)}
      <small>{seedText(kept, items)}</small>
    </td>
  );
}

/** The same as rows of text and numbers. */
export function keptTable(comparison: Comparison, rows: readonly KeptRow[]): TableData {
  return {
    columns: [{ title: 'Run' }, ...comparison.levels.flatMap(({ inDomain }) => [{ title: `At ${formatPercent(inDomain, 0)}`, format: (value: number) => formatPercent(value) }, { title: 'Range' }, { title: 'Seeds' }])],
    rows: rows.map(({ one, kept }) => [
      one.group.name,
      ...kept.flatMap(({ value, reached, of }) => [value?.mean ?? null, value === undefined ? 'not reached' : formatInterval(value.low, value.high), reached === of ? String(of) : `${reached} of ${of}`]),
    ]),
  };
}

export function KeptPlate({ comparison }: { readonly comparison: Comparison }): ReactElement {
  const wanted = useCompare((state) => state.reference);
  const { rows, reference, absent } = keptRows(comparison, wanted);
  const { levels } = comparison;
  const foot =
    rows.length === 0
      ? 'Where each run first reaches the same in-domain accuracy, this compares what is left out-of-domain.'
      : `▲ ▼ mark ranges over seeds that are apart from those of ${reference?.group.name ?? ''}. Single runs, and settings of which some seeds never get there, are not marked. ${absent}`;
  return (
    <Plate title="Kept at equal gain" unit="interpolated between checkpoints" legend={[]} {...(rows.length === 0 ? {} : { table: () => keptTable(comparison, rows) })} span={5} height={240} foot={foot}>
      {rows.length === 0 ? (
        <p className="compare-none">No run has gained in-domain yet.</p>
      ) : (
        <div className="compare-scroll" role="region" aria-label="Kept at equal gain" tabIndex={0}>
          <table className="tbl kept">
            <thead>
              <tr>
                <th scope="col">
                  Out-of-domain, %<small>when in-domain first reaches</small>
                </th>
                {levels.map(({ share, inDomain }) => (
                  <th key={share} scope="col" className="n">
                    {formatPercent(inDomain, 0)}
                    <small>{formatShare(share)} of best</small>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map(({ one, kept, marks: own }) => (
                <tr key={one.group.id} {...hoverRow(one.group.id)} className={one === reference ? 'refrow' : undefined}>
                  <th scope="row">
                    <button type="button" className="row-name" aria-pressed={one === reference} title="Compare the others with this" onClick={() => setReference(one.group.id)}>
                      <Swatch method={one.group.config.method} />
                      <span>{one.group.name}</span>
                    </button>
                  </th>
                  {kept.map((at, index) => (
                    <Cell key={levels[index]!.share} kept={at} mark={own[index]} one={one} />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Plate>
  );
}
