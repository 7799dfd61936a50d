/** @file Every method of the table has a look of its own: colour and dash among the tokens, and a marker. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { METHODS } from '../../worker/methods.ts';
import { markerPath, seriesColour, seriesDash } from './series.ts';

const tokens = readFileSync(new URL('../tokens.css', import.meta.url), 'utf8');
/** The value of a token that is used as `var(--name)`. */
const valueOf = (used: string): string | undefined => new RegExp(`${used.slice(4, -1)}: ([^;]+);`).exec(tokens)?.[1];

describe('series', () => {
  it('have a colour, which only controls share, and that is grey', () => {
    const colours = METHODS.filter(({ control }) => !control).map(({ id }) => valueOf(seriesColour(id)));
    for (const colour of colours) expect(colour).toMatch(/^light-dark\(#[0-9a-f]{6}, #[0-9a-f]{6}\)$/);
    expect(new Set(colours).size).toBe(colours.length);
    for (const { id } of METHODS.filter(({ control }) => control)) expect(valueOf(seriesColour(id)), id).toBe('var(--series-base)');
    expect(valueOf('var(--series-base)')).toBe('var(--ink-3)');
  });

  it('are told apart by dash and by marker alone', () => {
    const dashes = METHODS.map(({ id }) => valueOf(seriesDash(id)));
    for (const dash of dashes) expect(dash).toMatch(/^(none|\d+( \d+)+)$/);
    expect(new Set([...dashes, valueOf('var(--dash-base)')]).size).toBe(METHODS.length + 1);
    const markers = METHODS.map(({ id }) => markerPath(id));
    for (const marker of markers) expect(marker).toMatch(/^M[-\d.a-zA-Z ]+z$/);
    expect(new Set(markers).size).toBe(METHODS.length);
  });
});
