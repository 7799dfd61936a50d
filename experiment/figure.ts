/** @file The experiment's figure as SVG: accuracy against steps, in-domain and out-of-domain, mean and range over seeds. */
import { STEPS } from './plan.ts';
import type { Line, Point, Results, RunResult } from './results.ts';
import { linesOf, mean } from './results.ts';

const PANEL = { width: 420, height: 260, left: 44, top: 44, gap: 76 };
// The colours, dashes and markers of the page, light and dark.
const STYLE = {
  rpsft: { light: '#2368c9', dark: '#6faef7', dash: '' },
  sft: { light: '#ca531a', dark: '#f58651', dash: '6 3' },
  l2sp: { light: '#109d6f', dark: '#a3d1a5', dash: '2 3' },
} as const;

/** Two panels side by side; adapts to dark pages by itself. */
export function drawFigure(results: Results): string {
  const lines = linesOf(results);
  const panels = (['inDomain', 'outOfDomain'] as const).map((suite, index) => panel(lines, suite, PANEL.left + index * (PANEL.width + PANEL.gap)));
  const width = PANEL.left + 2 * PANEL.width + PANEL.gap + 200;
  const height = PANEL.top + PANEL.height + 48;
  const css = Object.entries(STYLE).map(([method, { light, dark }]) => `.${method}{stroke:${light};fill:${light}}@media(prefers-color-scheme:dark){.${method}{stroke:${dark};fill:${dark}}}`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="In-domain and out-of-domain accuracy against optimizer steps">
<style>text{font:12px system-ui,sans-serif;fill:#454d50}.title{font-weight:600}.grid{stroke:#d3d9d8}.band{stroke:none;opacity:.14}.mean{fill:none!important;stroke-width:2}@media(prefers-color-scheme:dark){text{fill:#b4bcbc}.grid{stroke:#2d3436}}${css.join('')}</style>
${panels.join('\n')}
</svg>
`;
}

function panel(lines: readonly Line[], suite: 'inDomain' | 'outOfDomain', left: number): string {
  const share = (run: RunResult, point: Point): number => point[suite] / (suite === 'inDomain' ? run.inDomainItems : run.outOfDomainItems);
  const x = (step: number): number => left + (step / STEPS) * PANEL.width;
  const y = (value: number): number => PANEL.top + (1 - value) * PANEL.height;
  const at = (px: number, py: number): string => `${px.toFixed(1)},${py.toFixed(1)}`;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((value) => `<path class="grid" d="M${left} ${y(value)}h${PANEL.width}"/><text x="${left - 8}" y="${y(value) + 4}" text-anchor="end">${100 * value}</text>`);
  const ticks = [0, STEPS / 4, STEPS / 2, (3 * STEPS) / 4, STEPS].map((step) => `<text x="${x(step)}" y="${y(0) + 18}" text-anchor="middle">${step}</text>`);
  const [anyRun] = lines[0]!.runs;
  const items = suite === 'inDomain' ? anyRun!.inDomainItems : anyRun!.outOfDomainItems;
  const drawn = lines.map(({ method, runs }) => {
    const steps = runs[0]!.points.map(({ step }) => step);
    const values = steps.map((_, i) => runs.map((run) => share(run, run.points[i]!)));
    const high = values.map((seeds, i) => at(x(steps[i]!), y(Math.max(...seeds))));
    const low = values.map((seeds, i) => at(x(steps[i]!), y(Math.min(...seeds)))).toReversed();
    const middle = values.map((seeds, i) => at(x(steps[i]!), y(mean(seeds))));
    return `<path class="band ${method}" d="M${[...high, ...low].join('L')}Z"/><path class="mean ${method}" stroke-dasharray="${STYLE[method].dash}" d="M${middle.join('L')}"/>`;
  });
  const title = suite === 'inDomain' ? 'In-domain accuracy' : 'Out-of-domain accuracy';
  return [`<text class="title" x="${left}" y="20">${title}, % of ${items} items, against steps</text>`, ...grid, ...ticks, ...drawn, ...(suite === 'outOfDomain' ? labels(lines, share, x(STEPS) + 8, y) : [])].join('\n');
}

/** Names at the end of the lines, pushed apart to 16 px. */
function labels(lines: readonly Line[], share: (run: RunResult, point: Point) => number, left: number, y: (value: number) => number): string[] {
  let last = Number.NEGATIVE_INFINITY;
  return lines
    .map((line) => ({ line, top: y(mean(line.runs.map((run) => share(run, run.points.at(-1)!)))) }))
    .toSorted((a, b) => a.top - b.top)
    .map(({ line, top }) => {
      last = Math.max(top, last + 16);
      return `<text x="${left}" y="${last + 4}">${line.label.replace(/, k 50%/, '')}</text>`;
    });
}
