/** @file The words of a choice: its name, and one line on what it is or why it cannot be chosen. */
import type { ReactElement } from 'react';

export function ChoiceText({ label, detail }: { readonly label: string; readonly detail: string }): ReactElement {
  return (
    <span>
      <b>{label}</b>
      <small>{detail}</small>
    </span>
  );
}
