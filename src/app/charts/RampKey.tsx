/** @file The scale of a map, beside its caption. */
import type { ReactElement } from 'react';
import type { RampName } from './colour.ts';

/** A small bar of the ramp between its two ends, in the words or numbers of the scale. */
export function RampKey({ ramp, from, to }: { readonly ramp: RampName; readonly from: string; readonly to: string }): ReactElement {
  return (
    <span className="heatmap-key">
      <span>{from}</span>
      <i className={`heatmap-ramp heatmap-ramp-${ramp}`} aria-hidden="true" />
      <span>{to}</span>
    </span>
  );
}
