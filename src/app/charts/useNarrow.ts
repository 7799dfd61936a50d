/** @file Whether the page is laid out in one column. */
import { useSyncExternalStore } from 'react';

let media: MediaQueryList | undefined;

/** One query for all, asked when first needed. */
const narrow = (): MediaQueryList => (media ??= matchMedia('(max-width: 719px)'));

const subscribe = (listener: () => void): (() => void) => {
  narrow().addEventListener('change', listener);
  return () => narrow().removeEventListener('change', listener);
};

/** Below 720 px. */
export const useNarrow = (): boolean => useSyncExternalStore(subscribe, () => narrow().matches);
