/** @file Markup of elements without state, by the React that the page has anyway. In Node, react-dom/server does the same. */
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import type { ReactElement } from 'react';

/** The elements as HTML. */
export function renderStatic(element: ReactElement): string {
  const place = document.createElement('div');
  const root = createRoot(place);
  flushSync(() => root.render(element));
  const markup = place.innerHTML;
  root.unmount();
  return markup;
}
