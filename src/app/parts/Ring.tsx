/** @file The ring of a station: one mark for what state it is in. The same ring turns wherever work is going on. */
import type { ReactElement } from 'react';

export type RingState = 'ready' | 'empty' | 'live' | 'done' | 'error' | 'off';

const inside: Readonly<Record<RingState, ReactElement>> = {
  ready: (
    <>
      <circle cx="8" cy="8" r="6.5" />
      <circle className="f" cx="8" cy="8" r="2.2" />
    </>
  ),
  empty: <circle cx="8" cy="8" r="6.5" />,
  live: (
    <>
      <circle cx="8" cy="8" r="6.5" />
      <ellipse className="turn" cx="8" cy="8" rx="6.5" ry="6.5" />
      <circle className="pin" cx="8" cy="8" r="1.6" />
    </>
  ),
  done: (
    <>
      <circle cx="8" cy="8" r="6.5" />
      <path d="M5 8.2l2.1 2.1L11 6.2" />
    </>
  ),
  error: (
    <>
      <circle cx="8" cy="8" r="6.5" />
      <path d="M8 4.6v4.2M8 10.6v1" />
    </>
  ),
  off: <circle cx="8" cy="8" r="6.5" strokeDasharray="2 2.1" />,
};

/** Says nothing to a screen reader: the state stands in words beside it. */
export function Ring({ state }: { readonly state: RingState }): ReactElement {
  return (
    <svg className={`ring ring-${state}`} viewBox="0 0 16 16" aria-hidden="true">
      {inside[state]}
    </svg>
  );
}
