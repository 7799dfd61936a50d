/** @file Waiting that is over soon is not shown. */
import { useEffect, useState } from 'react';

/** Milliseconds of waiting in which nothing is shown. */
const grace = 300;

/** True once `active` has been true for longer than is worth no mention. */
export function useAfter(active: boolean): boolean {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    if (!active) return undefined;
    const timer = setTimeout(() => setShown(true), grace);
    return () => {
      clearTimeout(timer);
      setShown(false);
    };
  }, [active]);
  return active && shown;
}
