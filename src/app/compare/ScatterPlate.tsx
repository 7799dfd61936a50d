/** @file The plate of gain against forgetting. Checkpoints under the shared cursor are marked here and in the curves alike. */
import { useEffect, useId, useLayoutEffect, useMemo, useRef, type KeyboardEvent, type PointerEvent, type ReactElement } from 'react';
import { Plate } from '../charts/Plate.tsx';
import { pixelX, pixelY, plotBox, type Margins, type PlotBox } from '../charts/plotModel.ts';
import { markerPath, seriesColour } from '../charts/series.ts';
import { Swatch } from '../charts/Swatch.tsx';
import type { TableData } from '../charts/table.ts';
import { placeTooltip } from '../charts/tooltipPlace.ts';
import { useWidth } from '../charts/useWidth.ts';
import { cursor } from '../cursor.ts';
import { formatCount, formatPoints } from '../format.ts';
import { Segments } from '../parts/Segments.tsx';
import type { Comparison } from './comparison.ts';
import { highlight } from './highlight.ts';
import { ScatterDrawing } from './ScatterDrawing.tsx';
import { scatterModel, type ScatterModel, type ScatterPath } from './scatterModel.ts';
import { setFrame, useCompare, type Frame } from './state.ts';

const height = 430;
const wideMargins: Margins = { top: 18, right: 92, bottom: 22, left: 34 };
const narrowMargins: Margins = { top: 18, right: 12, bottom: 22, left: 34 };

const frames: readonly { readonly value: Frame; readonly label: string }[] = [
  { value: 'near', label: 'Near the front' },
  { value: 'all', label: 'All' },
];

/** Pixels within which a checkpoint is meant. */
const reach = 24;

const pointAt = ({ points }: ScatterPath, step: number | undefined): ScatterPath['points'][number] | undefined => points.find((point) => point.step === step);

/** Marks the checkpoints of the cursor's step, and shows their values where the cursor is in this figure. */
function follow(root: HTMLElement, model: ScatterModel, box: PlotBox, figure: string): void {
  const { step, figure: pointed } = cursor.get();
  const tooltip = root.querySelector<HTMLElement>('.figure-tooltip')!;
  const rows = tooltip.querySelectorAll<HTMLTableRowElement>('tbody tr');
  const markers = root.querySelectorAll<SVGPathElement>('path[data-marker]');
  const shown: { x: number; y: number }[] = [];
  model.paths.forEach((path, index) => {
    const point = path.faint ? undefined : pointAt(path, step);
    const place = point && { x: pixelX(box, model.x, point.gain), y: pixelY(box, model.y, point.change) };
    const inFrame = point !== undefined && point.change >= model.y.domain[0];
    const [marker, row] = [markers[index]!, rows[model.paths.length - 1 - index]!];
    marker.style.display = inFrame ? '' : 'none';
    if (place && inFrame) marker.setAttribute('transform', `translate(${place.x} ${place.y})`);
    row.hidden = point === undefined;
    if (point === undefined || place === undefined) return;
    shown.push(place);
    row.cells[2]!.textContent = formatPoints(point.gain);
    row.cells[3]!.textContent = formatPoints(point.change);
  });
  const open = step !== undefined && pointed === figure && shown.length > 0;
  tooltip.style.visibility = open ? 'visible' : 'hidden';
  if (!open) return;
  tooltip.querySelector('caption')!.textContent = `Step ${formatCount(step)}`;
  const points = model.paths.flatMap((path) => path.points.map(({ gain, change }) => ({ x: pixelX(box, model.x, gain) - box.left, y: pixelY(box, model.y, change) - box.top })));
  const anchor = shown.at(-1)!;
  const place = placeTooltip(anchor.x - box.left, { width: tooltip.offsetWidth, height: tooltip.offsetHeight }, box, points);
  tooltip.style.transform = `translate(${box.left + place.left}px, ${box.top + place.top}px)`;
}

function Overlay({ model, width, margins, figure }: { readonly model: ScatterModel; readonly width: number; readonly margins: Margins; readonly figure: string }): ReactElement {
  const root = useRef<HTMLDivElement>(null);
  const latest = useRef({ model, box: plotBox(width, height, margins) });
  useLayoutEffect(() => {
    latest.current = { model, box: plotBox(width, height, margins) };
    if (root.current) follow(root.current, latest.current.model, latest.current.box, figure);
  });
  useEffect(() => cursor.subscribe(() => root.current && follow(root.current, latest.current.model, latest.current.box, figure)), [figure]);
  return (
    <div className="figure-overlay" ref={root} aria-hidden="true">
      <svg width={width} height={height}>
        {model.paths.map((path) => (
          <path key={path.id} data-marker="" className="figure-hot" d={markerPath(path.method)} fill={seriesColour(path.method)} />
        ))}
      </svg>
      <div className="figure-tooltip">
        <table>
          <caption />
          <thead>
            <tr>
              <td />
              <td />
              <td>gain</td>
              <td>change</td>
            </tr>
          </thead>
          <tbody>
            {[...model.paths].reverse().map((path) => (
              <tr key={path.id}>
                <td>
                  <Swatch method={path.method} />
                </td>
                <td>{path.name}</td>
                <td className="figure-tooltip-value" />
                <td className="figure-tooltip-value" />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Scatter({ model, label, margins }: { readonly model: ScatterModel; readonly label: string; readonly margins: Margins }): ReactElement {
  const figure = useId();
  const { ref, width } = useWidth<HTMLDivElement>();
  const steps = useMemo(() => [...new Set(model.paths.flatMap(({ faint, points }) => (faint ? [] : points.map(({ step }) => step))))].toSorted((a, b) => a - b), [model]);
  const under = (event: PointerEvent): { readonly step: number; readonly id: string } | undefined => {
    const box = plotBox(width, height, margins);
    const area = event.currentTarget.getBoundingClientRect();
    const [x, y] = [event.clientX - area.left, event.clientY - area.top];
    let nearest = reach;
    let found: { readonly step: number; readonly id: string } | undefined;
    for (const { id, faint, points } of model.paths)
      for (const { gain, change, step } of faint ? [] : points) {
        const distance = Math.hypot(pixelX(box, model.x, gain) - x, pixelY(box, model.y, change) - y);
        if (change < model.y.domain[0] || distance >= nearest) continue;
        nearest = distance;
        found = { step, id };
      }
    return found;
  };
  const onPointerMove = (event: PointerEvent): void => {
    const found = under(event);
    highlight(found?.id);
    if (found === undefined) cursor.leave();
    else cursor.move(found.step, figure);
  };
  const onPointerLeave = (): void => {
    highlight();
    cursor.leave();
  };
  const onPointerUp = (event: PointerEvent): void => {
    const found = under(event);
    if (found !== undefined) cursor.togglePin(found.step, figure);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { step, pinned } = cursor.get();
    const targets: Readonly<Record<string, number | undefined>> = {
      Home: steps[0], End: steps.at(-1), ArrowLeft: step === undefined ? steps.at(-1) : steps.findLast((one) => one < step), ArrowRight: step === undefined ? steps.at(-1) : steps.find((one) => one > step),
    };
    const target = targets[event.key];
    if (event.key === 'Enter' && step !== undefined) cursor.togglePin(step, figure);
    else if (event.key === 'Escape' && step !== undefined) cursor.release();
    else if (target === undefined) return;
    else {
      if (pinned) cursor.release();
      if (pinned) cursor.togglePin(target, figure);
      else cursor.move(target, figure);
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="figure-plot" ref={ref} role="img" aria-label={label} tabIndex={0} style={{ height }} onPointerMove={onPointerMove} onPointerLeave={onPointerLeave} onPointerUp={onPointerUp} onKeyDown={onKeyDown} onBlur={() => cursor.leave()}>
      {width > 0 && (
        <>
          <svg width={width} height={height} aria-hidden="true">
            <ScatterDrawing model={model} width={width} height={height} margins={margins} />
          </svg>
          <Overlay model={model} width={width} margins={margins} figure={figure} />
        </>
      )}
    </div>
  );
}

/** Every checkpoint of every ticked group: points gained and points changed. */
export function scatterTable(comparison: Comparison): TableData {
  return {
    columns: [{ title: 'Run' }, { title: 'Step', format: formatCount }, { title: 'Seeds' }, { title: 'Gain in-domain', format: formatPoints }, { title: 'Change out-of-domain', format: formatPoints }],
    rows: comparison.groups.flatMap(({ group, path }) => path.map(({ step, gain, change }) => [group.name, step, gain.count, gain.mean, change.mean])),
  };
}

/** One sentence for those who do not see the figure: where each group ends. */
export const scatterLabel = ({ groups }: Comparison): string =>
  `In-domain gain against out-of-domain change, a path a group. ${groups.map(({ group, last }) => `${group.name} ends at ${formatPoints(last.gain.mean)} and ${formatPoints(last.change.mean)}`).join('; ')}.`;

export function ScatterPlate({ comparison, selected, narrow }: { readonly comparison: Comparison; readonly selected: string | undefined; readonly narrow: boolean }): ReactElement {
  const frame = useCompare((state) => state.frame);
  const model = useMemo(() => scatterModel(comparison, frame, selected), [comparison, frame, selected]);
  const empty = comparison.groups.length === 0;
  return (
    <Plate
      title="Gain against forgetting"
      unit="points; up and to the right is better"
      controls={<Segments legend="Frame" options={frames} value={frame} onChange={setFrame} />}
      legend={comparison.groups.map(({ group }) => ({ name: group.name, method: group.config.method }))}
      {...(empty ? {} : { table: () => scatterTable(comparison) })}
      span={7}
      height={height}
      foot={empty ? 'Paths start here with the first evaluation of a run.' : 'Each marker is a checkpoint, the mean over seeds; pale markers are where each seed ends. Crosses: 95% of the items at the last step.'}
    >
      <Scatter model={model} label={empty ? 'No run has been measured yet.' : scatterLabel(comparison)} margins={narrow ? narrowMargins : wideMargins} />
    </Plate>
  );
}
