/** @file The numbers behind a figure, as the table under it shows them and as CSV. */

export type Cell = number | string | null;

export interface TableColumn {
  readonly title: string;
  /** How a number is written in the table; CSV always has the full number. */
  readonly format?: (value: number) => string;
}

export interface TableData {
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly Cell[])[];
}

/** What the table shows for a cell; missing values are an en dash. */
export function cellText(column: TableColumn | undefined, cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return '–';
  if (typeof cell === 'string') return cell;
  return column?.format ? column.format(cell) : String(cell);
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** RFC 4180, with full precision; a missing value is empty. */
export function toCsv(table: TableData): string {
  const lines = [
    table.columns.map((column) => quoted(column.title)),
    ...table.rows.map((row) => row.map((cell) => quoted(cell === null ? '' : String(cell)))),
  ];
  return lines.map((line) => line.join(',')).join('\r\n') + '\r\n';
}

/** At most `limit` rows, evenly chosen, first and last included. */
export function thinRows<T>(rows: readonly T[], limit: number): readonly T[] {
  if (rows.length <= limit) return rows;
  return Array.from({ length: limit }, (_, index) => rows[Math.round((index * (rows.length - 1)) / (limit - 1))]!);
}

/** One table of several curves over the same axis: a row per x, a column per curve. */
export function curvesTable(
  axisTitle: string,
  curves: readonly {
    readonly title: string;
    readonly points: readonly { readonly x: number; readonly y: number | null; readonly low?: number; readonly high?: number }[];
  }[],
  format: (value: number) => string,
  /** What the ends of the bands are. */
  band = '95%',
): TableData {
  const rows = new Map<number, Cell[]>();
  const columns: TableColumn[] = [{ title: axisTitle }];
  for (const { title, points } of curves) {
    const withInterval = points.some((point) => point.low !== undefined);
    const at = columns.length;
    columns.push({ title, format });
    if (withInterval) columns.push({ title: `${title}, ${band} low`, format }, { title: `${title}, ${band} high`, format });
    for (const point of points) {
      const row = rows.get(point.x) ?? [point.x];
      row[at] = point.y;
      if (withInterval) {
        row[at + 1] = point.low ?? null;
        row[at + 2] = point.high ?? null;
      }
      rows.set(point.x, row);
    }
  }
  const filled = [...rows.values()].map((row) => Array.from({ length: columns.length }, (_, index) => row[index] ?? null));
  return { columns, rows: filled.sort((a, b) => Number(a[0]) - Number(b[0])) };
}
