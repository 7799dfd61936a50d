/** @file The drawings of buttons and notes, 16 px, in the ink of the text around them. */
import type { ReactElement } from 'react';

/** Outline (`d`) and filled part (`fill`) of each drawing. */
const drawings = {
  alert: { d: 'M8 2.5L14.2 13H1.8zM8 6.5v3M8 11v.6' },
  check: { d: 'M3.5 8.5l3 3 6-6.5' },
  chevron: { d: 'M4.5 6.5L8 10l3.5-3.5' },
  copy: { d: 'M5.5 5.5h7.5v8H5.5zM10.5 5.5v-3H3v8h2.5' },
  download: { d: 'M8 2.5v7.5M5 7.2l3 3 3-3M3 13.2h10' },
  eye: { d: 'M1.8 8s2.2-4 6.2-4 6.2 4 6.2 4-2.2 4-6.2 4-6.2-4-6.2-4zM10 8a2 2 0 1 1-4 0a2 2 0 1 1 4 0z' },
  file: { d: 'M4 2h5l3 3v9H4zM9 2v3h3' },
  folder: { d: 'M2 4h4l1.5 1.5H14V13H2z' },
  keys: { d: 'M1.5 4h13v8h-13zM4 6.5h.8M6.5 6.5h.8M9 6.5h.8M11.5 6.5h.8M5 9.5h6' },
  left: { d: 'M9.5 4.5L6 8l3.5 3.5' },
  lock: { d: 'M4 7.5h8v6H4zM5.5 7.5V5.2a2.5 2.5 0 0 1 5 0v2.3' },
  pause: { fill: 'M4.5 3.5h2.4v9H4.5zM9.1 3.5h2.4v9H9.1z' },
  play: { fill: 'M5 3.5v9l7-4.5z' },
  plus: { d: 'M8 3.5v9M3.5 8h9' },
  prompt: { d: 'M2.5 3h11v8.5H7L4.5 14v-2.5h-2zM5 6l1.8 1.5L5 9M8 9h3' },
  right: { d: 'M6.5 4.5L10 8l-3.5 3.5' },
  step: { d: 'M11.5 3.5v9', fill: 'M4 3.5v9l5.5-4.5z' },
  stop: { fill: 'M4 4h8v8H4z' },
  dark: { d: 'M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6z' },
  light: { d: 'M10.8 8a2.8 2.8 0 1 1-5.6 0a2.8 2.8 0 1 1 5.6 0zM8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M3.4 12.6l1.1-1.1M11.5 4.5l1.1-1.1' },
  system: { d: 'M13.5 8a5.5 5.5 0 1 1-11 0a5.5 5.5 0 1 1 11 0z', fill: 'M8 2.5a5.5 5.5 0 0 1 0 11z' },
  x: { d: 'M4.5 4.5l7 7M11.5 4.5l-7 7' },
} as const satisfies Record<string, { readonly d?: string; readonly fill?: string }>;

export type IconName = keyof typeof drawings;

/** A drawing without meaning of its own: the word stands beside it, or the button has a label. */
export function Icon({ name, className = '' }: { readonly name: IconName; readonly className?: string }): ReactElement {
  const drawing: { readonly d?: string; readonly fill?: string } = drawings[name];
  return (
    <svg className={`icon ${className}`} viewBox="0 0 16 16" aria-hidden="true">
      {drawing.fill === undefined ? null : <path className="f" d={drawing.fill} />}
      {drawing.d === undefined ? null : <path d={drawing.d} />}
    </svg>
  );
}
