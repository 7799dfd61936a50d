import { expect, test } from 'vitest';
import { unroll } from './unroll.ts';

test('blocks are repeated, also inside one another', () => {
  const source = ['a', '//#for i ROWS', 'x$i', '  //#for j 2', 'y$i_$j', '  //#next', '//#next', 'b'].join('\n');
  expect(unroll(source, { ROWS: 2 })).toBe(['a', 'x0', 'y0_0', 'y0_1', 'x1', 'y1_0', 'y1_1', 'b'].join('\n'));
  expect(unroll(source, { ROWS: 0 })).toBe('a\nb');
});

test('a missing count or end is reported', () => {
  expect(() => unroll('//#for i ROWS\n//#next', {})).toThrow(/ROWS/);
  expect(() => unroll('a\n//#for i 2\nx', {})).toThrow(/Line 2/);
});
