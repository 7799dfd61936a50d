/** @file The figures of the study as SVG: what is kept against what is gained, along each method's checkpoints, and at one level with the range over seeds. */
import { keptAt, meanPath } from '../src/app/compare/statistics.ts';
import type { Line } from './studyTables.ts';
import { shortLabel } from './studyTables.ts';
import { measuredOf } from './studyResults.ts';

const PANEL = { width: 400, height: 320, left: 48, top: 44, gap: 150 };
const BOTTOM = 52;
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

const document = (width: number, height: number, label: string, body: string): string => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${label}">
<style>text{font:12px system-ui,sans-serif;fill:#454d50}.title{font-weight:600}.grid{stroke:#d3d9d8}.path{fill:none;stroke-width:2}.range{stroke-width:2}@media(prefers-color-scheme:dark){text{fill:#b4bcbc}.grid{stroke:#2d3436}}${Object.entries(STYLE)
  .map(([name, { light, dark }]) => `.s-${cssName(name)}{stroke:${light}}.f-${cssName(name)}{fill:${light}}@media(prefers-color-scheme:dark){.s-${cssName(name)}{stroke:${dark}}.f-${cssName(name)}{fill:${dark}}}`)
  .join('')}</style>
${body}
</svg>
`;

/** In-domain against out-of-domain accuracy, mean over seeds, a dot an evaluation. */
export function drawPaths(lines: readonly Line[]): string {
  const panels = PANELS.map(({ title, names }, index) => pathPanel(lines.filter((line) => (names as readonly string[]).includes(shortLabel(line))), title, PANEL.left + index * (PANEL.width + PANEL.gap)));
  const width = PANEL.left + 2 * (PANEL.width + PANEL.gap);
  return document(width, PANEL.top + PANEL.height + BOTTOM, 'Out-of-domain against in-domain accuracy along the checkpoints of each method', panels.join('\n'));
}

function pathPanel(lines: readonly Line[], title: string, left: number): string {
  const x = (value: number): string => (left + value * PANEL.width).toFixed(1);
  const y = (value: number): number => PANEL.top + (1 - value) * PANEL.height;
  const values = [0, 0.25, 0.5, 0.75, 1];
  const grid = values.map((value) => `<path class="grid" d="M${left} ${y(value)}h${PANEL.width}"/><text x="${left - 8}" y="${y(value) + 4}" text-anchor="end">${100 * value}</text><text x="${x(value)}" y="${y(0) + 18}" text-anchor="middle">${100 * value}</text>`);
  const ends: { readonly name: string; readonly top: number; readonly x: string }[] = [];
  const drawn = lines.map((line) => {
    const name = shortLabel(line);
    const path = meanPath(line.runs.map(measuredOf)).map(({ inDomain, outOfDomain }) => ({ x: x(inDomain.mean), y: y(outOfDomain.mean) }));
    ends.push({ name, top: path.at(-1)!.y, x: path.at(-1)!.x });
    const dots = path.map((point) => `<circle class="f-${cssName(name)}" cx="${point.x}" cy="${point.y.toFixed(1)}" r="2.2"/>`).join('');
    return `<path class="path s-${cssName(name)}" stroke-dasharray="${STYLE[name]!.dash}" d="M${path.map((point) => `${point.x},${point.y.toFixed(1)}`).join('L')}"/>${dots}`;
  });
  let last = Number.NEGATIVE_INFINITY;
  const labels = ends.toSorted((a, b) => a.top - b.top).map(({ name, top, x: end }) => {
    const place = Math.max(top, last + 15);
    last = place;
    const edge = left + PANEL.width + 6;
    return `<path class="grid" d="M${Number(end) + 4} ${top.toFixed(1)}L${edge - 2} ${place.toFixed(1)}"/><text x="${edge}" y="${(place + 4).toFixed(1)}">${name}</text>`;
  });
  const axes = `<text class="title" x="${left}" y="20">${title}: out-of-domain, %, against in-domain, %</text>`;
  return [axes, ...grid, ...drawn, ...labels].join('\n');
}

/** Out-of-domain accuracy where each method first reaches an in-domain accuracy: mean and range over the seeds that do. */
export function drawKept(lines: readonly Line[], level: number): string {
  const rows = lines
    .map((line) => ({ name: shortLabel(line), kept: keptAt(line.runs.map(measuredOf), level) }))
    .toSorted((a, b) => (b.kept.value?.mean ?? -1) - (a.kept.value?.mean ?? -1));
  const [left, top, step, width] = [150, 40, 24, 420];
  const x = (value: number): string => (left + value * width).toFixed(1);
  const bottom = top + rows.length * step;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((value) => `<path class="grid" d="M${x(value)} ${top}V${bottom}"/><text x="${x(value)}" y="${bottom + 16}" text-anchor="middle">${100 * value}</text>`);
  const drawn = rows.map(({ name, kept: { value, reached, of } }, i) => {
    const middle = top + (i + 0.5) * step;
    const label = `<text x="${left - 10}" y="${middle + 4}" text-anchor="end">${name}</text>`;
    if (!value) return `${label}<text x="${left + 6}" y="${middle + 4}">not reached</text>`;
    const note = reached < of ? `<text x="${Number(x(value.high)) + 10}" y="${middle + 4}">${reached} of ${of} seeds</text>` : '';
    return `${label}<path class="range s-${cssName(name)}" d="M${x(value.low)} ${middle}H${x(value.high)}"/><circle class="f-${cssName(name)}" cx="${x(value.mean)}" cy="${middle}" r="4"/>${note}`;
  });
  return document(left + width + 110, bottom + 28, `Out-of-domain accuracy where each method first reaches ${100 * level}% in-domain`, [`<text class="title" x="${left}" y="20">Out-of-domain, %, where in-domain first reaches ${100 * level}%</text>`, ...grid, ...drawn].join('\n'));
}
