/** @file The menu of a figure: as a table, as CSV, as a picture. */
import { useEffect, useRef, useState, type KeyboardEvent, type ReactElement } from 'react';
import type { LegendEntry } from './names.ts';
import { toCsv, type TableData } from './table.ts';

interface PlateMenuProps {
  /** Element id of the figure to save. */
  readonly figure: string;
  readonly title: string;
  readonly unit: string;
  readonly legend: readonly LegendEntry[];
  readonly table: () => TableData;
  readonly asTable: boolean;
  readonly showTable: (show: boolean) => void;
}

/** Saves the figure; the code for it is loaded with the first picture. */
async function savePicture(kind: 'svg' | 'png', { figure, title, unit, legend }: PlateMenuProps): Promise<void> {
  const element = document.getElementById(figure);
  if (!element) return;
  const { saveFigure } = await import('./saveFigure.ts');
  await saveFigure(element, { kind, title, unit, legend });
}

/** A small button at the end of the caption, visible on hover and focus. Arrows move in the open menu, Esc closes it. */
export function PlateMenu(props: PlateMenuProps): ReactElement {
  const { title, table, asTable, showTable } = props;
  const [open, setOpen] = useState(false);
  const [said, setSaid] = useState('');
  const root = useRef<HTMLSpanElement>(null);
  const opener = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!open) return undefined;
    root.current?.querySelector<HTMLElement>('[role="menuitem"]')?.focus();
    const closeOutside = (event: PointerEvent): void => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener('pointerdown', closeOutside);
    return () => document.removeEventListener('pointerdown', closeOutside);
  }, [open]);

  const close = (): void => {
    setOpen(false);
    opener.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const items = [...(root.current?.querySelectorAll<HTMLElement>('[role="menuitem"]') ?? [])];
    const at = items.findIndex((item) => item === document.activeElement);
    if (event.key === 'Escape') close();
    else if (event.key === 'ArrowDown') items[(at + 1) % items.length]?.focus();
    else if (event.key === 'ArrowUp') items[(at - 1 + items.length) % items.length]?.focus();
    else if (event.key === 'Tab') setOpen(false);
    else return;
    if (event.key !== 'Tab') event.preventDefault();
    event.stopPropagation();
  };
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(toCsv(table()));
      setSaid('CSV copied');
    } catch {
      setSaid('The browser did not allow copying');
    }
  };
  const items: readonly { readonly name: string; readonly key?: string; readonly act: () => void | Promise<void> }[] = [
    { name: asTable ? 'Show as figure' : 'Show as table', key: 'T', act: () => showTable(!asTable) },
    { name: 'Copy as CSV', act: copy },
    ...(asTable
      ? []
      : [
          { name: 'Save as SVG', act: () => savePicture('svg', props) },
          { name: 'Save as PNG', act: () => savePicture('png', props) },
        ]),
  ];
  return (
    <span className="plate-menu" ref={root}>
      <button
        ref={opener}
        type="button"
        aria-label={`Menu of ${title}`}
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
          <path d="M3 7h2v2H3zM7 7h2v2H7zM11 7h2v2h-2z" fill="currentColor" />
        </svg>
      </button>
      {open && (
        <span role="menu" className="plate-menu-list" aria-label={title} tabIndex={-1} onKeyDown={onKeyDown}>
          {items.map(({ name, key, act }) => (
            <button
              key={name}
              type="button"
              role="menuitem"
              tabIndex={-1}
              onClick={() => {
                close();
                void act();
              }}
            >
              {name}
              {key !== undefined && <kbd>{key}</kbd>}
            </button>
          ))}
        </span>
      )}
      <span role="status" className="plate-said">
        {said}
      </span>
    </span>
  );
}
