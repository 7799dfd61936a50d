/** @file The line and marker of a method as a legend shows them. */
import type { ReactElement } from 'react';
import type { MethodId } from '../../worker/protocol.ts';
import { markerPath, seriesColour, seriesDash } from './series.ts';

/** 28 by 12 px; says nothing to a screen reader, the name stands beside it. */
export function Swatch({ method }: { readonly method: MethodId }): ReactElement {
  return (
    <svg className="figure-swatch" viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">
      <line x1="0" x2="28" y1="6" y2="6" stroke={seriesColour(method)} strokeDasharray={seriesDash(method)} strokeWidth="2" />
      <path d={markerPath(method)} transform="translate(14 6)" fill={seriesColour(method)} stroke="var(--paper)" />
    </svg>
  );
}
