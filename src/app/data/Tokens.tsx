/** @file A row as the model sees it: trained tokens in ink, underlined and washed, the others grey. */
import { Fragment, type ReactElement } from 'react';
import type { PreviewRow } from '../../worker/protocol.ts';
import { formatCount } from '../format.ts';
import { tokenText } from './tokenText.ts';

/** Tokens of a row that are trained. */
export const trainedCount = ({ tokens }: PreviewRow): number => tokens.filter(({ trained }) => trained).length;

/** The tokens of one row, with a label that says what a screen reader cannot see. */
export function Tokens({ row }: { readonly row: PreviewRow }): ReactElement {
  const label = `Row ${formatCount(row.row)} as ${formatCount(row.tokens.length)} tokens, ${formatCount(trainedCount(row))} of them trained and underlined`;
  return (
    <div className="tokens" role="group" aria-label={label}>
      {row.tokens.map(({ text, trained, special }, index) => {
        const { spaced, shown, breaks } = tokenText(text, index === 0);
        return (
          // A row is a sequence: the place is the identity of a token.
          <Fragment key={index}>
            {spaced ? ' ' : null}
            <span className={`tok${trained ? ' on' : ''}${special ? ' sp' : ''}`}>{shown}</span>
            {breaks > 0 ? <br /> : <wbr />}
          </Fragment>
        );
      })}
      {row.truncated ? <span className="cut-mark">cut off here</span> : null}
    </div>
  );
}
