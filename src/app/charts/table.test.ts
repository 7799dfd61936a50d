import { describe, expect, it } from 'vitest';
import { moveInGrid } from './gridKeys.ts';
import { runNames } from './names.ts';
import { cellText, curvesTable, thinRows, toCsv } from './table.ts';
import { madeUpRun } from './testing.ts';

describe('tables', () => {
  const table = curvesTable(
    'Step',
    [
      {
        title: 'SFT, lr 1e-4',
        points: [
          { x: 2, y: 0.5, low: 0.4, high: 0.6 },
          { x: 1, y: null },
        ],
      },
      { title: 'RPSFT', points: [{ x: 2, y: 0.25 }] },
    ],
    (value) => value.toFixed(1),
  );

  it('have a row for each x and a column for each curve and interval', () => {
    expect(table.columns.map(({ title }) => title)).toEqual([
      'Step',
      'SFT, lr 1e-4',
      'SFT, lr 1e-4, 95% low',
      'SFT, lr 1e-4, 95% high',
      'RPSFT',
    ]);
    expect(table.rows).toEqual([
      [1, null, null, null, null],
      [2, 0.5, 0.4, 0.6, 0.25],
    ]);
  });

  it('become CSV with full numbers and quoted titles', () => {
    expect(toCsv(table)).toBe(
      'Step,"SFT, lr 1e-4","SFT, lr 1e-4, 95% low","SFT, lr 1e-4, 95% high",RPSFT\r\n1,,,,\r\n2,0.5,0.4,0.6,0.25\r\n',
    );
  });

  it('write numbers in the form of the column', () => {
    expect(cellText(table.columns[4], 0.25)).toBe('0.3');
    expect(cellText(table.columns[4], null)).toBe('–');
  });

  it('are thinned evenly with both ends', () => {
    expect(thinRows([0, 1, 2, 3, 4, 5, 6, 7, 8], 3)).toEqual([0, 4, 8]);
  });
});

describe('moveInGrid', () => {
  const grid = [['a', 'b', 'c'], ['d', 'e', 'f'], ['whole']];
  it('moves by cell and stays at the edge', () => {
    expect(moveInGrid(grid, 'b', 'ArrowRight')).toBe('c');
    expect(moveInGrid(grid, 'c', 'ArrowRight')).toBe('c');
    expect(moveInGrid(grid, 'f', 'ArrowDown')).toBe('whole');
    expect(moveInGrid(grid, 'whole', 'ArrowUp')).toBe('d');
    expect(moveInGrid(grid, 'e', 'Home')).toBe('d');
    expect(moveInGrid(grid, 'e', 'x')).toBeUndefined();
  });
});

describe('runNames', () => {
  it('names adapters, and their settings where they differ', () => {
    const lora = { rank: 16, alpha: 32, targets: ['q_proj'], rsLora: false };
    expect(runNames([madeUpRun(), madeUpRun({ lora })])).toEqual(['RPSFT', 'RPSFT LoRA']);
    expect(runNames([madeUpRun({ lora }), madeUpRun({ lora: { ...lora, rank: 8, targets: ['q_proj', 'v_proj'] } })])).toEqual(['RPSFT LoRA r 16 q_proj', 'RPSFT LoRA r 8 q_proj+v_proj']);
    expect(runNames([madeUpRun(), madeUpRun({ startFrom: 'a' })])).toEqual(['RPSFT', 'RPSFT continued']);
  });

  it('are the method where that is enough', () => {
    expect(runNames([madeUpRun({ method: 'sft' }), madeUpRun({ method: 'rpsft' })])).toEqual(['SFT', 'RPSFT']);
  });

  it('add what differs within a method', () => {
    expect(runNames([madeUpRun({ lambda: 10 }), madeUpRun({ lambda: 1, seed: 2 })])).toEqual(['RPSFT λ 10 seed 1', 'RPSFT λ 1 seed 2']);
    expect(runNames([madeUpRun({ method: 'sft', lambda: 0 }), madeUpRun({ method: 'sft', lambda: 10, seed: 2 })])).toEqual([
      'SFT seed 1',
      'SFT seed 2',
    ]);
  });

  it('number runs that agree in everything', () => {
    expect(runNames([madeUpRun(), madeUpRun()])).toEqual(['RPSFT (1)', 'RPSFT (2)']);
  });
});
