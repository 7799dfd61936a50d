/** @file A number of the run being edited: label, field, one line of help, and the allowed range when the value is outside it. */
import { useId, useState, type ReactElement, type ReactNode } from 'react';
import { numberFields, readNumber, type FieldKey } from '../method/fields.ts';

export interface NumberFieldProps {
  readonly field: FieldKey;
  readonly value: number;
  /** What is wrong with the value, if anything. */
  readonly problem: string | undefined;
  /** Gets NaN for text that is no number, so that the run cannot start with it. */
  readonly onChange: (value: number) => void;
  /** In place of the label of the table, for formula letters. */
  readonly label?: ReactNode;
  /** A slider between label and field. */
  readonly slider?: ReactNode;
}

/** Keeps what was typed as it was typed; the field follows the value only when that is changed elsewhere. */
export function NumberField({ field, value, problem, onChange, label, slider }: NumberFieldProps): ReactElement {
  const id = useId();
  const info = numberFields[field];
  const [text, setText] = useState(() => info.write(value));
  const [shown, setShown] = useState(value);
  if (!Object.is(shown, value)) {
    setShown(value);
    if (!Object.is(readNumber(text, info), value)) setText(info.write(value));
  }
  return (
    <div className="numfield">
      <div className={slider === undefined ? 'field' : 'field slide'}>
        <label className="field-l" htmlFor={id}>
          {label ?? info.label}
        </label>
        {slider}
        <input
          id={id}
          className="num"
          inputMode="decimal"
          autoComplete="off"
          spellCheck={false}
          value={text}
          aria-invalid={problem === undefined ? undefined : true}
          aria-describedby={`${id}-help`}
          onChange={(event) => {
            setText(event.target.value);
            onChange(readNumber(event.target.value, info));
          }}
          onBlur={() => {
            if (problem === undefined) setText(info.write(value));
          }}
        />
      </div>
      <p className="help" id={`${id}-help`}>
        {problem === undefined ? info.help : <span className="err">{problem}</span>}
      </p>
    </div>
  );
}
