/** @file Moving in a grid of cells by keys, where a row may be one wide cell. */

/** The key of the cell that an arrow, Home or End leads to; undefined for other keys. At an edge the cell stays. */
export function moveInGrid(grid: readonly (readonly string[])[], from: string, pressed: string): string | undefined {
  const row = grid.findIndex((keys) => keys.includes(from));
  const keys = grid[row];
  if (!keys) return undefined;
  const column = keys.indexOf(from);
  const inRow = (target: readonly string[] | undefined): string => target?.[Math.min(column, target.length - 1)] ?? from;
  switch (pressed) {
    case 'ArrowLeft':
      return keys[Math.max(0, column - 1)];
    case 'ArrowRight':
      return keys[Math.min(keys.length - 1, column + 1)];
    case 'ArrowUp':
      return inRow(grid[row - 1]);
    case 'ArrowDown':
      return inRow(grid[row + 1]);
    case 'Home':
      return keys[0];
    case 'End':
      return keys.at(-1);
    default:
      return undefined;
  }
}
