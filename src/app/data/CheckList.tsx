/** @file Checks of a dataset or of written files: an icon, and the sentence says the rest. */
import type { ReactElement } from 'react';
import { Icon } from '../parts/Icon.tsx';
import type { DataCheck } from './checks.ts';

const words = { ok: 'Passed: ', warn: 'Note: ', bad: 'Problem: ' } as const;

export function CheckList({ checks }: { readonly checks: readonly DataCheck[] }): ReactElement {
  return (
    <ul className="ver">
      {checks.map(({ verdict, text }) => (
        <li key={text} className={verdict}>
          <Icon name={verdict === 'ok' ? 'check' : 'alert'} />
          <span>
            <span className="vh">{words[verdict]}</span>
            {text}
          </span>
        </li>
      ))}
    </ul>
  );
}
