/** @file A setting that is on or off, with one line of help. */
import { useId, type ReactElement } from 'react';

export interface SwitchProps {
  readonly label: string;
  readonly help: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}

export function Switch({ label, help, checked, onChange }: SwitchProps): ReactElement {
  const id = useId();
  return (
    <div className="numfield">
      <label className="field">
        <span className="field-l">{label}</span>
        <span className="switch">
          <input type="checkbox" checked={checked} aria-describedby={id} onChange={(event) => onChange(event.target.checked)} />
          <span />
        </span>
      </label>
      <p className="help" id={id}>
        {help}
      </p>
    </div>
  );
}
