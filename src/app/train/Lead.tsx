/** @file What the Train view opens with: the finding, its uncertainty, and the balance beside it. */
import type { ReactElement } from 'react';
import { Balance, type BalanceRow } from '../charts/Balance.tsx';
import { Phrases } from '../charts/Phrases.tsx';
import type { Finding } from './findings.ts';

/** One sentence with the numbers in bold, the rest in small type under it. */
export function Lead({ finding, rows }: { readonly finding: Finding; readonly rows: readonly BalanceRow[] }): ReactElement {
  return (
    <header className={rows.length > 0 ? 'train-lead' : 'train-lead train-lead-alone'}>
      <div>
        <h2 className="train-line">
          <Phrases phrases={finding.line} />
        </h2>
        <p className="train-detail">{finding.detail}</p>
      </div>
      {rows.length > 0 && <Balance rows={rows} />}
    </header>
  );
}
