/** @file A choice between a few words that stand side by side. */
import { useId, type ReactElement } from 'react';

export interface SegmentsProps<Value extends string> {
  /** What is chosen, for screen readers; a visible label stands beside it. */
  readonly legend: string;
  readonly options: readonly { readonly value: Value; readonly label: string }[];
  readonly value: Value;
  readonly onChange: (value: Value) => void;
  readonly disabled?: boolean;
}

export function Segments<Value extends string>({ legend, options, value, onChange, disabled = false }: SegmentsProps<Value>): ReactElement {
  const name = useId();
  return (
    <fieldset className="seg" disabled={disabled}>
      <legend className="vh">{legend}</legend>
      {options.map((option) => (
        <label key={option.value}>
          <input type="radio" name={name} checked={option.value === value} onChange={() => onChange(option.value)} />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
