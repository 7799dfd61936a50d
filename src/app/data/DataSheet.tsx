/** @file The data preview, over the main area: mapping, lengths, rows as the model sees them, checks. */
import { useEffect, useRef, useState, type ReactElement } from 'react';
import type { DatasetRole, DatasetSummary, PreviewRow } from '../../worker/protocol.ts';
import { formatCount, formatCounted } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { closeSheet, useLab } from '../store.ts';
import { CheckList } from './CheckList.tsx';
import { dataChecks } from './checks.ts';
import { ImportProgress } from './ImportProgress.tsx';
import { LengthHistogram } from './LengthHistogram.tsx';
import { MappingTable } from './MappingTable.tsx';
import { measureInfo } from './measures.ts';
import { roleName } from './roles.ts';
import { RowFacts } from './RowFacts.tsx';
import { Tokens, trainedCount } from './Tokens.tsx';
import { usePreview } from './usePreview.ts';

/** Rows on one page of the preview. */
const pageSize = 5;

/** A question in plain form without an answer to train: its text says more than the marks around it. */
const asksOnly = (row: PreviewRow): boolean => row.prompt !== undefined && row.tokens.every(({ special }) => special);

/** A row with a gold answer in the place of a text to write. */
const isAsked = (row: PreviewRow): boolean => row.gold !== undefined && !row.truncated && trainedCount(row) === 0;

function Rows({ dataset }: { readonly dataset: DatasetSummary }): ReactElement {
  const { role, rows, rendering } = dataset;
  const measured = role !== 'train';
  const [from, setFrom] = useState(0);
  const [wanted, setWanted] = useState('');
  const { rows: preview, problem } = usePreview(role, from, pageSize);
  const last = Math.min(from + pageSize, rows);
  const goTo = (row: number): void => setFrom(Math.max(0, Math.min(row, rows - 1)));
  return (
    <>
      <h3>
        As the model sees it{' '}
        <small>
          <span className="tok on">underlined</span> tokens are {measured ? 'the answer' : 'trained'}, <span className="tok sp">&lt;small&gt;</span> ones special
          {rendering === 'chat' ? '; written by the chat template' : ''}
        </small>
      </h3>
      {problem === undefined ? null : <p className="note bad">{problem}</p>}
      {preview.map((row) => (
        <div className="srow" key={row.row}>
          <span className="ln">{formatCount(row.row)}</span>
          <div>
            {asksOnly(row) ? <p className="tokens">{row.prompt}</p> : <Tokens row={row} />}
            <RowFacts row={row} measured={measured} />
          </div>
          <span className="c">
            {isAsked(row) ? 'asked' : `${formatCount(trainedCount(row))} of ${formatCount(row.tokens.length)}`}
          </span>
        </div>
      ))}
      <div className="pagerow">
        <span>
          Rows {formatCount(from + 1)} to {formatCount(last)} of {formatCount(rows)}
        </span>
        <button type="button" className="btn" disabled={from === 0} onClick={() => goTo(from - pageSize)}>
          <Icon name="left" />
          Previous
        </button>
        <button type="button" className="btn" disabled={last >= rows} onClick={() => goTo(from + pageSize)}>
          <Icon name="right" />
          Next
        </button>
        <form
          className="goto"
          onSubmit={(event) => {
            event.preventDefault();
            const row = Number(wanted);
            if (Number.isInteger(row) && row >= 1) goTo(row - 1);
          }}
        >
          <label>
            Go to row <input className="num" inputMode="numeric" value={wanted} onChange={(event) => setWanted(event.target.value)} />
          </label>
        </form>
      </div>
    </>
  );
}

/** Opens with the focus on its heading; Esc or the cross closes it. */
export function DataSheet({ role }: { readonly role: DatasetRole }): ReactElement | null {
  const dataset = useLab((state) => state.datasets[role]);
  const datasets = useLab((state) => state.datasets);
  const maxLength = useLab((state) => state.config.maxLength);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  if (dataset === undefined) return null;
  return (
    <section className="sheet" aria-label="Data preview">
      <header>
        <h2 ref={heading} tabIndex={-1}>
          {dataset.name}
        </h2>
        <span>
          {roleName(role)}, {formatCounted(dataset.rows, 'row')}, {dataset.shape}
          {role === 'train' ? '' : `, measured by ${measureInfo(dataset.measure).words}`}
        </span>
        <button type="button" className="ib" aria-label="Close preview" title="Close (Esc)" onClick={closeSheet}>
          <Icon name="x" />
        </button>
      </header>
      <ImportProgress />
      <div className="sheet-g">
        <MappingTable dataset={dataset} />
        <LengthHistogram dataset={dataset} limit={maxLength} />
      </div>
      <Rows key={dataset.name} dataset={dataset} />
      <h3>Checks</h3>
      <CheckList checks={dataChecks(dataset, datasets, maxLength)} />
    </section>
  );
}
