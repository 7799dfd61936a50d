/** @file Copies a text and says that it did. */
import { useState, type ReactElement } from 'react';
import { Icon } from './Icon.tsx';

type Outcome = 'copied' | 'refused' | undefined;

/** Milliseconds for which the outcome is shown. */
const shownFor = 2500;

export function CopyButton({ text, label, quiet = false }: { readonly text: string; readonly label: string; readonly quiet?: boolean }): ReactElement {
  const [outcome, setOutcome] = useState<Outcome>();
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome('copied');
    } catch {
      setOutcome('refused');
    }
    setTimeout(() => setOutcome(undefined), shownFor);
  };
  return (
    <button type="button" className={quiet ? 'btn quiet' : 'btn'} onClick={() => void copy()}>
      <Icon name={outcome === 'copied' ? 'check' : 'copy'} />
      <span aria-live="polite">{outcome === 'copied' ? 'Copied' : outcome === 'refused' ? 'The browser refused the clipboard' : label}</span>
    </button>
  );
}
