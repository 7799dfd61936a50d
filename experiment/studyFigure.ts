/** @file The figures of the study as SVG: what is kept against what is gained, along each method's checkpoints, and at each level with the range over seeds. */
import { keptAt, meanPath } from '../src/app/compare/statistics.ts';
import { LEVELS } from './studyPlan.ts';
import type { Line } from './studyTables.ts';
import { shortLabel } from './studyTables.ts';
import { measuredOf } from './studyResults.ts';

/** Of several settings of a method, paths are drawn of the one for this level. */
const PATH_LEVEL = 0.65;
const PATHS = { left: 44, top: 40, width: 480, height: 300, below: 64, legend: 200 };
const KEPT = { left: 140, top: 40, width: 190, gap: 24, row: 24 };
// The colours of the page, light and dark, and others as far apart; a dash tells apart what is near.
const STYLE: Readonly<Record<string, { readonly light: string; readonly dark: string; readonly dash: string }>> = {
  RPSFT: { light: '#2368c9', dark: '#6faef7', dash: '' },
  SFT: { light: '#ca531a', dark: '#f58651', dash: '6 3' },
  'L2-SP': { light: '#109d6f', dark: '#a3d1a5', dash: '2 3' },
  'Two-sided RPSFT': { light: '#7a3fb8', dark: '#c09af0', dash: '' },
  'KL-SFT': { light: '#8a6d00', dark: '#d9bd4a', dash: '8 3 2 3' },
  'IW-SFT': { light: '#b0306a', dark: '#f08ab8', dash: '4 2' },
  DFT: { light: '#5b6468', dark: '#a9b2b4', dash: '1 3' },
  'LoRA SFT': { light: '#ca531a', dark: '#f58651', dash: '1 3' },
  'LoRA RPSFT': { light: '#2368c9', dark: '#6faef7', dash: '1 3' },
  'Random basis': { light: '#8a6d00', dark: '#d9bd4a', dash: '6 3' },
  'Tail basis': { light: '#b0306a', dark: '#f08ab8', dash: '2 3' },
  'Gradient projection': { light: '#109d6f', dark: '#a3d1a5', dash: '8 3 2 3' },
};
const PANELS = [
  { title: 'Methods', names: ['RPSFT', 'SFT', 'L2-SP', 'Two-sided RPSFT', 'KL-SFT', 'IW-SFT', 'DFT'] },
  { title: 'RPSFT, its controls, and adapters', names: ['RPSFT', 'Random basis', 'Tail basis', 'Gradient projection', 'LoRA SFT', 'LoRA RPSFT'] },
] as const;

const cssName = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');

export const document = (width: number, height: number, label: string, body: string): string => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${label}">
<style>text{font:12px system-ui,sans-serif;fill:#454d50}.title{font-weight:600}.grid{stroke:#d3d9d8}.path{fill:none;stroke-width:2}.range{stroke-width:3}.note{font-size:11px}@media(prefers-color-scheme:dark){text{fill:#b4bcbc}.grid{stroke:#2d3436}}${Object.entries(STYLE)
  .map(([name, { light, dark }]) => `.s-${cssName(name)}{stroke:${light}}.f-${cssName(name)}{fill:${light}}@media(prefers-color-scheme:dark){.s-${cssName(name)}{stroke:${dark}}.f-${cssName(name)}{fill:${dark}}}`)
  .join('')}</style>
${body}
</svg>
`;

/** Whole tens of percent around some fractions. */
function tensAround(values: readonly number[]): { readonly low: number; readonly high: number; readonly ticks: readonly number[] } {
  const [low, high] = [Math.floor(10 * Math.min(...values)), Math.ceil(10 * Math.max(...values))];
  const step = high - low > 5 ? 2 : 1;
  return { low: low / 10, high: high / 10, ticks: Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, i) => low + i * step).map((tens) => tens / 10) };
}

const share = (value: number): string => (100 * value).toFixed(0);

/** In-domain against out-of-domain accuracy, mean over seeds, a dot an evaluation. */
export function drawPaths(lines: readonly Line[]): string {
  const drawn = PANELS.map(({ title, names }) => ({ title, lines: names.flatMap((name) => lineFor(lines, name, PATH_LEVEL) ?? []) }));
  const panels = drawn.map((panel, index) => pathPanel(panel.lines, panel.title, PATHS.top + index * (PATHS.height + PATHS.below)));
  return document(PATHS.left + PATHS.width + PATHS.legend, PATHS.top + PANELS.length * (PATHS.height + PATHS.below) - 20, 'Out-of-domain against in-domain accuracy along the checkpoints of each method', panels.join('\n'));
}

/** The line of a method for a level, or the one it has. */
function lineFor(lines: readonly Line[], name: string, level: number): Line | undefined {
  const own = lines.filter((line) => shortLabel(line) === name);
  return own.find(({ levels }) => levels.includes(level)) ?? own[0];
}

function pathPanel(lines: readonly Line[], title: string, top: number): string {
  const paths = lines
    .map((line) => ({ name: shortLabel(line), path: meanPath(line.runs.map(measuredOf)) }))
    .toSorted((a, b) => b.path.at(-1)!.outOfDomain.mean - a.path.at(-1)!.outOfDomain.mean);
  const scale = tensAround(paths.flatMap(({ path }) => path.map(({ outOfDomain }) => outOfDomain.mean)));
  const x = (value: number): string => (PATHS.left + value * PATHS.width).toFixed(1);
  const y = (value: number): string => (top + ((scale.high - value) / (scale.high - scale.low)) * PATHS.height).toFixed(1);
  const rows = scale.ticks.map((value) => `<path class="grid" d="M${PATHS.left} ${y(value)}h${PATHS.width}"/><text x="${PATHS.left - 8}" y="${Number(y(value)) + 4}" text-anchor="end">${share(value)}</text>`);
  const columns = [0, 0.25, 0.5, 0.75, 1].map((value) => `<text x="${x(value)}" y="${top + PATHS.height + 18}" text-anchor="middle">${share(value)}</text>`);
  const drawn = paths.map(({ name, path }, i) => {
    const points = path.map(({ inDomain, outOfDomain }) => ({ x: x(inDomain.mean), y: y(outOfDomain.mean) }));
    const dots = points.map((point) => `<circle class="f-${cssName(name)}" cx="${point.x}" cy="${point.y}" r="2.2"/>`).join('');
    const line = `class="path s-${cssName(name)}" stroke-dasharray="${STYLE[name]!.dash}"`;
    const [left, middle] = [PATHS.left + PATHS.width + 16, top + 10 + i * 22];
    return `<path ${line} d="M${points.map((point) => `${point.x},${point.y}`).join('L')}"/>${dots}<path ${line} d="M${left} ${middle}h28"/><text x="${left + 36}" y="${middle + 4}">${name}</text>`;
  });
  return [`<text class="title" x="${PATHS.left}" y="${top - 20}">${title}: out-of-domain, %, against in-domain, %</text>`, ...rows, ...columns, ...drawn].join('\n');
}

/** Out-of-domain accuracy where each method first reaches each level: mean and range over the seeds that do. */
export function drawKept(lines: readonly Line[]): string {
  const methods = [...new Set(lines.map(shortLabel))].map((name) => ({
    name,
    kept: LEVELS.map((level) => {
      const line = lines.find((each) => shortLabel(each) === name && each.levels.includes(level));
      return line && keptAt(line.runs.map(measuredOf), level);
    }),
  }));
  const rows = methods.toSorted((a, b) => (b.kept[0]?.value?.mean ?? -1) - (a.kept[0]?.value?.mean ?? -1));
  const scale = tensAround(methods.flatMap(({ kept }) => kept.flatMap((each) => (each?.value ? [each.value.low, each.value.high] : []))));
  const bottom = KEPT.top + rows.length * KEPT.row;
  const middleOf = (i: number): number => KEPT.top + (i + 0.5) * KEPT.row;
  const names = rows.map(({ name }, i) => `<text x="${KEPT.left - 12}" y="${middleOf(i) + 4}" text-anchor="end">${name}</text>`);
  const panels = LEVELS.map((level, panel) => {
    const left = KEPT.left + panel * (KEPT.width + KEPT.gap);
    const x = (value: number): string => (left + ((value - scale.low) / (scale.high - scale.low)) * KEPT.width).toFixed(1);
    const grid = scale.ticks.map((value) => `<path class="grid" d="M${x(value)} ${KEPT.top}V${bottom}"/><text x="${x(value)}" y="${bottom + 16}" text-anchor="middle">${share(value)}</text>`);
    const drawn = rows.map(({ name, kept }, i) => {
      const { value, reached, of } = kept[panel] ?? { value: undefined, reached: 0, of: 0 };
      if (!value) return `<text class="note" x="${left + 6}" y="${middleOf(i) + 4}">not reached</text>`;
      const isRight = Number(x(value.mean)) > left + KEPT.width / 2;
      const note = reached < of ? `<text class="note" x="${isRight ? Number(x(value.low)) - 8 : Number(x(value.high)) + 8}" y="${middleOf(i) + 4}" text-anchor="${isRight ? 'end' : 'start'}">${reached} of ${of}</text>` : '';
      return `<path class="range s-${cssName(name)}" d="M${x(value.low)} ${middleOf(i)}H${x(value.high)}"/><circle class="f-${cssName(name)}" cx="${x(value.mean)}" cy="${middleOf(i)}" r="3.5"/>${note}`;
    });
    return [`<text class="title" x="${left}" y="20">at in-domain ${share(level)}%</text>`, ...grid, ...drawn].join('\n');
  });
  return document(KEPT.left + LEVELS.length * (KEPT.width + KEPT.gap), bottom + 28, 'Out-of-domain accuracy where each method first reaches each in-domain accuracy', ['<text class="title" x="0" y="20">Out-of-domain, %,</text>', ...names, ...panels].join('\n'));
}
