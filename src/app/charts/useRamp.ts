/** @file The ramps of the page's tokens, read once. */
import { useState } from 'react';
import { readRamp, type Ramp, type RampName } from './colour.ts';

/** A ramp in both themes; `light-dark()` is resolved by the cells themselves, so a change of theme needs no new read. */
export function useRamp(name: RampName): Ramp {
  const [ramp] = useState(() => {
    const style = getComputedStyle(document.documentElement);
    return readRamp(name, (property) => style.getPropertyValue(property));
  });
  return ramp;
}
