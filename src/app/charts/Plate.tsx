/** @file A plate: a hairline, a bold caption with its unit, the drawing, and where needed one line of reading help. */
import { useId, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactElement, type ReactNode } from 'react';
import type { MethodId } from '../../worker/protocol.ts';
import { useLab } from '../store.ts';
import type { LegendEntry } from './names.ts';
import { PlateBoundary } from './PlateBoundary.tsx';
import { PlateMenu } from './PlateMenu.tsx';
import { PlateTable } from './PlateTable.tsx';
import { Swatch } from './Swatch.tsx';
import type { TableData } from './table.ts';
import './plate.css';

export interface PlateProps {
  /** What the figure shows, in plain text: its caption, and the name of its files. */
  readonly title: string;
  /** The method whose line and marker stand before the caption. */
  readonly swatch?: MethodId;
  readonly unit?: ReactNode;
  /** The same in plain text, for files, where `unit` has markup. */
  readonly unitText?: string;
  /** What it means and when to worry, in a sentence or two. */
  readonly help?: string;
  /** The value of now, at the right of the caption. */
  readonly value?: string | undefined;
  /** Small controls at the right of the caption. */
  readonly controls?: ReactNode;
  /** Swatch and name of the runs that are drawn; goes into saved files. */
  readonly legend: readonly LegendEntry[];
  /** The numbers of the figure; asked for only when they are shown or copied. */
  readonly table?: () => TableData;
  /** Reading help under the drawing. */
  readonly foot?: ReactNode;
  /** Columns of twelve. */
  readonly span: 3 | 4 | 5 | 6 | 7 | 12;
  /** Height of the table that replaces the drawing. */
  readonly height: number;
  readonly children: ReactNode;
}

/** Key presses in a field are text, not commands. */
const isField = (target: EventTarget): boolean =>
  target instanceof HTMLElement && target.matches('input:not([type="radio"], [type="range"], [type="checkbox"]), textarea, select');

/** A figure with its caption and menu. T shows the focused figure as a table and back. */
export function Plate({
  title,
  swatch,
  unit,
  unitText,
  help,
  value,
  controls,
  legend,
  table,
  foot,
  span,
  height,
  children,
}: PlateProps): ReactElement {
  const id = useId();
  const figure = useRef<HTMLElement>(null);
  const [asTable, setAsTable] = useState(false);
  const byKey = useRef(false);
  const letterKeys = useLab((state) => state.letterKeys);
  const onKeyDown = (event: KeyboardEvent): void => {
    const plain = !event.altKey && !event.ctrlKey && !event.metaKey && !isField(event.target);
    if (table && letterKeys && plain && event.key.toLowerCase() === 't') {
      byKey.current = true;
      setAsTable(!asTable);
      event.stopPropagation();
    }
  };
  // What had the focus has gone with the switch; what took its place gets it.
  useLayoutEffect(() => {
    if (byKey.current) figure.current?.querySelector<HTMLElement>('.plate-table, .figure-plot')?.focus();
    byKey.current = false;
  });
  return (
    <figure className={`figure-plate plate-span${span}`} id={id} ref={figure} onKeyDown={onKeyDown}>
      <figcaption className="plate-caption">
        <b className="plate-title" title={help}>
          {swatch && <Swatch method={swatch} />}
          {title}
        </b>
        {unit !== undefined && (
          <span className="plate-unit" title={help ?? unitText ?? (typeof unit === 'string' ? unit : undefined)}>
            {unit}
          </span>
        )}
        {help !== undefined && <span className="vh">{help}</span>}
        <span className="plate-end">
          {controls}
          {value !== undefined && <b className="plate-value">{value}</b>}
        </span>
        {table && (
          <PlateMenu
            figure={id}
            title={title}
            unit={unitText ?? (typeof unit === 'string' ? unit : '')}
            legend={legend}
            table={table}
            asTable={asTable}
            showTable={setAsTable}
          />
        )}
      </figcaption>
      {asTable && table ? (
        <PlateTable table={table()} label={title} height={height} />
      ) : (
        <PlateBoundary title={title} height={height}>
          <div className="plate-drawing">{children}</div>
        </PlateBoundary>
      )}
      {foot !== undefined && <p className="plate-foot">{foot}</p>}
    </figure>
  );
}
