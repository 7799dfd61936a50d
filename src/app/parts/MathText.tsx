/** @file A short text in which the formula letters λ, k, τ and β stand in the face for formulas. */
import type { ReactElement } from 'react';

/** "λ 10, k 50%": a letter counts as one of a formula where a value follows it. */
export function MathText({ children }: { readonly children: string }): ReactElement {
  const parts = children.split(/([λτβ]|\bk)(?= \d)/);
  return (
    <>
      {parts.map((part, index) =>
        index % 2 === 1 ? (
          <i key={part} className="mv">
            {part}
          </i>
        ) : (
          part
        ),
      )}
    </>
  );
}
