import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cellColour, parseLightDark, readRamp, textContrast } from './colour.ts';

const tokens = readFileSync(new URL('../tokens.css', import.meta.url), 'utf8');
const token = (name: string): string => tokens.match(new RegExp(`${name}: ([^;]+);`))?.[1] ?? '';

describe('ramps', () => {
  it('read both themes of a token', () => {
    expect(parseLightDark('light-dark(#f3f1ea, #201e1a)')).toEqual({ light: '#f3f1ea', dark: '#201e1a' });
    expect(parseLightDark('#123456')).toEqual({ light: '#123456', dark: '#123456' });
    expect(parseLightDark('var(--ink)')).toBeUndefined();
  });

  it('mix neighbours in oklab', () => {
    const ramp = readRamp('seq', token);
    expect(cellColour(ramp, 0).background).toBe('color-mix(in oklab, var(--seq-1) 0.0%, var(--seq-0))');
    expect(cellColour(ramp, 0.5625).background).toBe('color-mix(in oklab, var(--seq-5) 50.0%, var(--seq-4))');
    expect(cellColour(ramp, 7).background).toBe('color-mix(in oklab, var(--seq-8) 100.0%, var(--seq-7))');
  });

  it('take black on light and white on dark', () => {
    const ramp = readRamp('seq', token);
    expect(cellColour(ramp, 0).text).toBe('light-dark(#000, #fff)');
    expect(cellColour(ramp, 1).text).toBe('light-dark(#fff, #000)');
  });

  it('are readable at every position of both ramps in both themes', () => {
    for (const name of ['seq', 'div'] as const) {
      const ramp = readRamp(name, token);
      for (const theme of ['light', 'dark'] as const)
        for (let position = 0; position <= 1; position += 0.01)
          expect(textContrast(ramp, theme, position), `${name} ${theme} ${position}`).toBeGreaterThanOrEqual(4.5);
    }
  });
});
