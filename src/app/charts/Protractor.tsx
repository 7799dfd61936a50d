/** @file How far a subspace has turned, drawn to scale: a ray at the mean angle, an arc that ends at the largest. */
import type { ReactElement } from 'react';
import type { MethodId } from '../../worker/protocol.ts';
import { formatAngleTick } from '../format.ts';
import { markerPath, seriesColour, seriesDash, strokeWidth, type Emphasis } from './series.ts';
import './protractor.css';

export interface Turn {
  readonly id: string;
  readonly name: string;
  readonly method: MethodId;
  readonly emphasis: Emphasis;
  /** Degrees. */
  readonly mean: number;
  readonly largest: number;
}

const radius = 146;
const pin = { x: 16, y: 164 };

/** The point at an angle and a distance from the pin. */
function polar(degrees: number, distance: number): { readonly x: number; readonly y: number } {
  const angle = (degrees * Math.PI) / 180;
  return { x: pin.x + distance * Math.cos(angle), y: pin.y - distance * Math.sin(angle) };
}

function Scale(): ReactElement {
  const end = polar(90, radius);
  return (
    <g>
      <path className="protractor-arc" d={`M${pin.x + radius} ${pin.y}A${radius} ${radius} 0 0 0 ${end.x} ${end.y}`} />
      {Array.from({ length: 46 }, (_, index) => index * 2).map((degrees) => {
        const major = degrees % 10 === 0;
        const from = polar(degrees, radius);
        const to = polar(degrees, radius - (major ? 10 : 5));
        return (
          <line key={degrees} className={major ? 'protractor-major' : 'protractor-minor'} x1={from.x} y1={from.y} x2={to.x} y2={to.y} />
        );
      })}
      {[0, 30, 60, 90].map((degrees) => {
        const at = polar(degrees, radius + 9);
        return (
          <text key={degrees} x={at.x} y={at.y} dy=".34em" textAnchor={degrees === 90 ? 'middle' : 'start'}>
            {formatAngleTick(degrees)}
          </text>
        );
      })}
      <line className="protractor-base" x1={pin.x} y1={pin.y} x2={pin.x + radius} y2={pin.y} />
    </g>
  );
}

/** Arcs of several runs lie inside one another. */
const distanceOf = (index: number, count: number): number => 84 + (index * 50) / Math.max(1, count);

/** Turns of one matrix under several runs; `label` says in words what is drawn. */
export function Protractor({ turns, label }: { readonly turns: readonly Turn[]; readonly label: string }): ReactElement {
  return (
    <svg className="protractor" viewBox="0 0 196 176" width="196" height="176" role="img" aria-label={label}>
      <Scale />
      {turns.map((turn, index) => {
        const distance = distanceOf(index, turns.length);
        const start = polar(0, distance);
        const end = polar(turn.largest, distance);
        const ray = polar(turn.mean, radius - 14);
        return (
          <g
            key={turn.id}
            fill="none"
            stroke={seriesColour(turn.method)}
            strokeDasharray={seriesDash(turn.method)}
            strokeWidth={strokeWidth(turn.emphasis)}
          >
            <path d={`M${start.x} ${start.y}A${distance} ${distance} 0 0 0 ${end.x} ${end.y}`} />
            <line x1={pin.x} y1={pin.y} x2={ray.x} y2={ray.y} />
            <path
              d={markerPath(turn.method)}
              transform={`translate(${end.x} ${end.y})`}
              fill={seriesColour(turn.method)}
              stroke="var(--paper)"
              strokeWidth="1"
              strokeDasharray="none"
            />
          </g>
        );
      })}
      {turns.map((turn, index) => {
        const end = polar(turn.largest, distanceOf(index, turns.length));
        return (
          <text key={turn.id} className="protractor-label" x={end.x + 6} y={end.y - 6}>
            max {formatAngleTick(turn.largest)}
          </text>
        );
      })}
      <circle className="protractor-pin" cx={pin.x} cy={pin.y} r="3" />
    </svg>
  );
}
