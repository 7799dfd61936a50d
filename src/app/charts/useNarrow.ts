/** @file Whether the page is laid out in one column. */
import { useSyncExternalStore } from 'react';

const query = '(max-width: 719px)';

const subscribe = (listener: () => void): (() => void) => {
  const media = matchMedia(query);
  media.addEventListener('change', listener);
  return () => media.removeEventListener('change', listener);
};

/** Below 720 px. */
export const useNarrow = (): boolean => useSyncExternalStore(subscribe, () => matchMedia(query).matches);
