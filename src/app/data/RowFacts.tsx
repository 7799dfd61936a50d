/** @file What an evaluation needs to know of a row, beside its tokens: the options with the right one marked, the gold answer, the group. */
import type { ReactElement } from 'react';
import type { PreviewRow } from '../../worker/protocol.ts';
import { Icon } from '../parts/Icon.tsx';

/** Letters as prompts name options; a number where they run out. */
const letter = (index: number): string => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[index] ?? String(index + 1);

function Options({ options, answer }: NonNullable<PreviewRow['choices']>): ReactElement {
  return (
    <ol className="row-options">
      {options.map((option, index) => (
        // Two options may be the same text; their place tells them apart.
        <li key={index} data-right={index === answer}>
          <span className="row-letter">{letter(index)}</span>
          <span>{option}</span>
          {index === answer ? (
            <span className="verdict ok">
              <Icon name="check" />
              right
            </span>
          ) : null}
        </li>
      ))}
    </ol>
  );
}

/** Nothing for a row that has no more to it than its tokens. `measured`: the row is for evaluation, where the gold answer counts. */
export function RowFacts({ row, measured }: { readonly row: PreviewRow; readonly measured: boolean }): ReactElement | null {
  const { choices, gold, group } = row;
  const showsGold = measured && choices === undefined && gold !== undefined;
  if (choices === undefined && !showsGold && (group === undefined || !measured)) return null;
  return (
    <div className="row-facts">
      {choices === undefined ? null : <Options {...choices} />}
      {showsGold ? (
        <span>
          Gold answer <b>{gold}</b>
        </span>
      ) : null}
      {group === undefined || !measured ? null : (
        <span>
          Group <b>{group}</b>
        </span>
      )}
    </div>
  );
}
