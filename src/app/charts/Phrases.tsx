/** @file Generated sentences with their numbers set in bold. */
import type { ReactElement } from 'react';

/** A piece of a sentence. */
export type Phrase = string | { readonly strong: string };

/** The sentence as plain text. */
export const plainText = (phrases: readonly Phrase[]): string =>
  phrases.map((phrase) => (typeof phrase === 'string' ? phrase : phrase.strong)).join('');

/** The sentence as markup. */
export function Phrases({ phrases }: { readonly phrases: readonly Phrase[] }): ReactElement {
  // The pieces of a sentence have no identity but their place.
  return (
    <>{phrases.map((phrase, index) => (typeof phrase === 'string' ? phrase : <b key={`${index}-${phrase.strong}`}>{phrase.strong}</b>))}</>
  );
}
