/** @file The list of keys, with the switch for single letters. */
import type { ReactElement } from 'react';
import { useLab } from '../store.ts';
import { keyLines } from './keymap.ts';
import { setLetterKeys } from './preferences.ts';

/** A popover: the browser opens it from the button in the head and closes it with Esc. */
export function KeyList(): ReactElement {
  const letterKeys = useLab((state) => state.letterKeys);
  return (
    <div className="keys" id="keys" popover="auto" role="dialog" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <dl>
        {keyLines.map(({ keys, does, letter }) => (
          <div key={does} className={letter && !letterKeys ? 'off' : undefined}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <label className="keys-switch field">
        <span>Single keys without Ctrl or ⌘</span>
        <span className="switch">
          <input type="checkbox" checked={letterKeys} onChange={(event) => setLetterKeys(event.target.checked)} />
          <span />
        </span>
      </label>
    </div>
  );
}
