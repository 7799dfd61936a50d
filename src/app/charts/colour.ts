/**
 * @file Colours of maps: neighbours of a nine-step ramp mixed in oklab, with black or white text by contrast. The ramps are the tokens
 * `--seq-*` and `--div-*`; their values are read from the page, so tokens.css stays the only place that has them.
 */

export type RampName = 'seq' | 'div';

/** The nine colours of a ramp in both themes, as `#rrggbb`. */
export interface Ramp {
  readonly name: RampName;
  readonly light: readonly string[];
  readonly dark: readonly string[];
}

export interface CellColour {
  readonly background: string;
  readonly text: string;
}

type Triple = readonly [number, number, number];

const steps = 8;

/** The two colours of `light-dark(#a, #b)`, or one colour for both themes. */
export function parseLightDark(value: string): { readonly light: string; readonly dark: string } | undefined {
  const colours = value.match(/#[0-9a-f]{6}\b/gi);
  const light = colours?.[0];
  return light === undefined ? undefined : { light, dark: colours?.[1] ?? light };
}

/** Reads a ramp from the custom properties of the page. */
export function readRamp(name: RampName, property: (name: string) => string): Ramp {
  const colours = Array.from(
    { length: steps + 1 },
    (_, index) => parseLightDark(property(`--${name}-${index}`)) ?? { light: '#ffffff', dark: '#000000' },
  );
  return { name, light: colours.map(({ light }) => light), dark: colours.map(({ dark }) => dark) };
}

const toLinear = (channel: number): number => (channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4);

/** Linear red, green and blue of `#rrggbb`. */
function linearOf(hex: string): Triple {
  const channel = (from: number): number => toLinear(Number.parseInt(hex.slice(from, from + 2), 16) / 255);
  return [channel(1), channel(3), channel(5)];
}

/** Björn Ottosson's oklab, https://bottosson.github.io/posts/oklab/ */
function toOklab([red, green, blue]: Triple): Triple {
  const l = Math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
  const m = Math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
  const s = Math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([lightness, a, b]: Triple): Triple {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

/** Linear colour at `position` (0 to 1) of nine colours. */
function mixed(colours: readonly string[], position: number): Triple {
  const { index, share } = neighbours(position);
  const from = toOklab(linearOf(colours[index]!));
  const to = toOklab(linearOf(colours[index + 1]!));
  const at = (axis: 0 | 1 | 2): number => from[axis] + (to[axis] - from[axis]) * share;
  return fromOklab([at(0), at(1), at(2)]);
}

function neighbours(position: number): { readonly index: number; readonly share: number } {
  const along = Math.max(0, Math.min(1, position)) * steps;
  const index = Math.min(steps - 1, Math.floor(along));
  return { index, share: along - index };
}

/** Relative luminance (WCAG) of a linear colour. */
const luminance = ([red, green, blue]: Triple): number => 0.2126 * red + 0.7152 * green + 0.0722 * blue;

/** Black or white, whichever contrasts more with this luminance. */
const textFor = (background: number): '#000' | '#fff' => ((background + 0.05) / 0.05 >= 1.05 / (background + 0.05) ? '#000' : '#fff');

/** Background and text of a cell at `position` (0 to 1) of a ramp, for both themes at once. */
export function cellColour(ramp: Ramp, position: number): CellColour {
  const { index, share } = neighbours(position);
  return {
    background: `color-mix(in oklab, var(--${ramp.name}-${index + 1}) ${(share * 100).toFixed(1)}%, var(--${ramp.name}-${index}))`,
    text: `light-dark(${textFor(luminance(mixed(ramp.light, position)))}, ${textFor(luminance(mixed(ramp.dark, position)))})`,
  };
}

/** Contrast of the chosen text with the mixed colour in one theme; at least 4.5 for every position. */
export function textContrast(ramp: Ramp, theme: 'light' | 'dark', position: number): number {
  const background = luminance(mixed(ramp[theme], position));
  return Math.max((background + 0.05) / 0.05, 1.05 / (background + 0.05));
}
