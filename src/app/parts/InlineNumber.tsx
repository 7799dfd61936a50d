/** @file A number in a line of a form: its label before it, its range after it when the value is outside. */
import { useId, useState, type ReactElement } from 'react';

export interface InlineNumberProps {
  readonly label: string;
  /** One line on what it does, as a tooltip. */
  readonly help: string;
  readonly least: number;
  readonly most: number;
  readonly whole: boolean;
  readonly value: number;
  /** Gets NaN for what is no number in the range. */
  readonly onChange: (value: number) => void;
}

/** Keeps what was typed as it was typed. */
export function InlineNumber({ label, help, least, most, whole, value, onChange }: InlineNumberProps): ReactElement {
  const id = useId();
  const [text, setText] = useState(Number.isNaN(value) ? '' : String(value));
  const read = (typed: string): number => {
    const number = typed.trim() === '' ? Number.NaN : Number(typed);
    return number >= least && number <= most && (!whole || Number.isInteger(number)) ? number : Number.NaN;
  };
  const valid = !Number.isNaN(read(text));
  const range = `Between ${least} and ${most.toLocaleString('en-US')}`;
  return (
    <label title={valid ? help : range}>
      {label}{' '}
      <input
        className="num"
        inputMode="decimal"
        value={text}
        aria-invalid={valid ? undefined : true}
        aria-describedby={valid ? undefined : id}
        onChange={(event) => {
          setText(event.target.value);
          onChange(read(event.target.value));
        }}
      />
      {valid ? null : (
        <span className="err" id={id}>
          {range}
        </span>
      )}
    </label>
  );
}
