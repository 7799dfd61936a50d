/** @file A short list of names and values. */
import type { ReactElement, ReactNode } from 'react';

export function Spec({ rows }: { readonly rows: readonly (readonly [name: string, value: ReactNode])[] }): ReactElement {
  return (
    <dl className="spec">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
