/** @file A map of the weight matrices: modules down, layers across, matrices without a layer in rows of their own. */
import { useMemo, useRef, type KeyboardEvent, type ReactElement } from 'react';
import { cellColour, type Ramp } from './colour.ts';
import { moveInGrid } from './gridKeys.ts';
import { useWidth } from './useWidth.ts';
import './heatmap.css';

export interface HeatCell {
  /** Name of the matrix. */
  readonly key: string;
  /** What the cell shows when it is wide enough. */
  readonly text: string;
  /** "layer 2, gate_proj: 0.89" */
  readonly label: string;
  /** Place on the ramp, 0 to 1; null = no value, the cell stays empty. */
  readonly position: number | null;
}

export interface HeatRow {
  readonly name: string;
  /** One cell a layer, or a single one that spans all of them. */
  readonly cells: readonly HeatCell[];
}

export interface HeatmapProps {
  readonly label: string;
  /** Layers by number, and places that have a name. */
  readonly layers: readonly (number | string)[];
  /** What stands over the names of the rows. */
  readonly corner?: string | undefined;
  readonly rows: readonly HeatRow[];
  readonly ramp: Ramp;
  readonly selected: string | undefined;
  readonly onSelect: (key: string) => void;
}

const headWidth = 68;
/** Below this cell width there is no room for a number. */
const numberWidth = 44;
/** Below this width only every fifth layer has its number. */
const labelWidth = 20;
/** A map of at most 40 layers always fits its plate; beyond that cells keep a size that can be hit, and the map scrolls. */
const leastCell = (layers: number): number => (layers > 40 ? 12 : 6);

/** A grid of cells: arrows move, Enter or a click opens the matrix. Only one cell is in the tab order. */
export function Heatmap({ label, layers, corner = 'layer', rows, ramp, selected, onSelect }: HeatmapProps): ReactElement {
  const { ref, width } = useWidth<HTMLDivElement>();
  const table = useRef<HTMLTableElement>(null);
  const columns = Math.max(1, layers.length);
  const cellWidth = Math.max(leastCell(columns), (width - headWidth) / columns);
  const numbers = cellWidth >= numberWidth;
  const colours = useMemo(
    () =>
      new Map(
        rows.flatMap((row) => row.cells.map((cell) => [cell.key, cell.position === null ? undefined : cellColour(ramp, cell.position)])),
      ),
    [rows, ramp],
  );
  const keys = rows.map((row) => row.cells.map((cell) => cell.key));
  const inTabOrder = selected !== undefined && keys.some((row) => row.includes(selected)) ? selected : keys[0]?.[0];

  const onKeyDown = (event: KeyboardEvent<HTMLTableCellElement>, key: string): void => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === 'Enter' || event.key === ' ') onSelect(key);
    else {
      const next = moveInGrid(keys, key, event.key);
      if (next === undefined) return;
      table.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(next)}"]`)?.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="heatmap" ref={ref}>
      <table ref={table} role="grid" aria-label={label} style={{ minWidth: headWidth + columns * leastCell(columns) }}>
        <thead>
          <tr>
            <td>{corner}</td>
            {layers.map((layer) => (
              <th key={layer} scope="col" aria-label={typeof layer === 'number' ? `layer ${layer}` : layer}>
                {cellWidth >= labelWidth || (typeof layer === 'number' && layer % 5 === 0) ? layer : ''}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name} className={row.cells.length === 1 && columns > 1 ? 'heatmap-whole' : undefined}>
              <th scope="row">{row.name}</th>
              {row.cells.map((cell) => {
                const colour = colours.get(cell.key);
                return (
                  <td
                    key={cell.key}
                    data-key={cell.key}
                    aria-label={cell.label}
                    aria-selected={cell.key === selected}
                    tabIndex={cell.key === inTabOrder ? 0 : -1}
                    colSpan={row.cells.length === 1 ? columns : 1}
                    style={colour && { backgroundColor: colour.background, color: colour.text }}
                    title={numbers ? undefined : cell.label}
                    onClick={() => onSelect(cell.key)}
                    onKeyDown={(event) => onKeyDown(event, cell.key)}
                  >
                    {numbers || row.cells.length === 1 ? cell.text : ''}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
