/** @file The Data station: the file, one row of it as tokens, its counts, and the two datasets it is measured on. */
import { useState, type ReactElement } from 'react';
import type { DatasetSummary } from '../../worker/protocol.ts';
import { formatCount, formatCounted, formatPercent } from '../format.ts';
import { importFile, restoreDemoData } from './importing.ts';
import { FileButton } from '../parts/FileButton.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Spec } from '../parts/Spec.tsx';
import { openSheet, useLab } from '../store.ts';
import { CheckList } from './CheckList.tsx';
import { dataChecks } from './checks.ts';
import { FileAlert } from './FileAlert.tsx';
import { ImportProgress } from './ImportProgress.tsx';
import { measureInfo } from './measures.ts';
import { acceptedFiles, roleInfos } from './roles.ts';
import { Tokens, trainedCount } from './Tokens.tsx';
import { usePreview } from './usePreview.ts';

/** One row as tokens, with buttons to the neighbouring rows. */
function RowPreview({ rows }: { readonly rows: number }): ReactElement {
  const [at, setAt] = useState(0);
  const shown = Math.min(at, rows - 1);
  const { rows: preview, problem } = usePreview('train', shown, 1);
  const [row] = preview;
  return (
    <>
      <div className="sub">
        <span>
          Row {formatCount(shown + 1)} of {formatCount(rows)}
        </span>
        <span className="pager">
          <button type="button" className="ib" aria-label="Previous row" disabled={shown === 0} onClick={() => setAt(shown - 1)}>
            <Icon name="left" />
          </button>
          <button type="button" className="ib" aria-label="Next row" disabled={shown >= rows - 1} onClick={() => setAt(shown + 1)}>
            <Icon name="right" />
          </button>
        </span>
      </div>
      {problem === undefined ? null : <p className="note bad">{problem}</p>}
      {row === undefined ? null : (
        <>
          <Tokens row={row} />
          <p className="legend-line">
            <span>
              <span className="tok on">underlined</span> is trained: {formatCount(trainedCount(row))} of {formatCount(row.tokens.length)}
            </span>
            <button type="button" className="link" onClick={() => openSheet('train')}>
              Open preview
            </button>
          </p>
        </>
      )}
    </>
  );
}

/** Rows of each dataset that another one has too; what is measured says nothing of rows that were trained. */
const sharedRows = (dataset: DatasetSummary): readonly (readonly [string, string])[] =>
  roleInfos.flatMap(({ role, name }) => {
    const shared = dataset.overlap[role];
    return shared === undefined ? [] : [[`Shared with ${name.toLowerCase()}`, formatCount(shared)] as const];
  });

function TrainingData({ dataset }: { readonly dataset: DatasetSummary }): ReactElement {
  const usable = useLab((state) => state.connection === 'ready');
  const datasets = useLab((state) => state.datasets);
  const maxLength = useLab((state) => state.config.maxLength);
  const { rows, trainedTokens, tokens, longest, truncatedRows, duplicates } = dataset;
  const worrying = dataChecks(dataset, datasets, maxLength).filter(({ verdict }) => verdict !== 'ok');
  return (
    <>
      <div className="file">
        <Icon name="file" />
        <b>{dataset.name}</b>
        <span>{dataset.shape}</span>
        {usable ? (
          <button type="button" className="link" onClick={() => openSheet('train')}>
            Change mapping
          </button>
        ) : null}
      </div>
      {usable && rows > 0 ? <RowPreview key={dataset.name} rows={rows} /> : null}
      <Spec
        rows={[
          ['Rows', formatCount(rows)],
          ['Trained tokens', `${formatCount(trainedTokens)} of ${formatCount(tokens)} (${formatPercent(tokens === 0 ? 0 : trainedTokens / tokens)})`],
          ['Longest row', `${formatCount(longest)} of ${formatCounted(maxLength, 'token')}`],
          ['Cut off', formatCounted(truncatedRows, 'row')],
          ['Duplicates', formatCount(duplicates)],
          ...sharedRows(dataset),
        ]}
      />
      {worrying.length === 0 ? null : <CheckList checks={worrying} />}
    </>
  );
}

/** What a measured dataset should be looked at for; the preview has the whole sentences. */
function MeasuredNotes({ dataset }: { readonly dataset: DatasetSummary }): ReactElement | null {
  const { duplicates, overlap, warnings, role } = dataset;
  const notes = [
    ...(duplicates > 0 ? [formatCounted(duplicates, 'copy', 'copies')] : []),
    ...roleInfos.flatMap((other) => ((overlap[other.role] ?? 0) > 0 ? [`${formatCount(overlap[other.role])} also in ${other.name.toLowerCase()}`] : [])),
    ...(warnings.length > 0 ? [formatCounted(warnings.length, 'note')] : []),
  ];
  if (notes.length === 0) return null;
  return (
    <span className="drop-note">
      <Icon name="alert" />
      <button type="button" className="link" onClick={() => openSheet(role)}>
        {notes.join(', ')}
      </button>
    </span>
  );
}

/** The two datasets that are only measured on: a look inside, or another file. */
function Measured(): ReactElement {
  const usable = useLab((state) => state.connection === 'ready');
  const datasets = useLab((state) => state.datasets);
  const importing = useLab((state) => state.importing?.role);
  return (
    <div className="drops">
      {roleInfos
        .filter(({ role }) => role !== 'train')
        .map(({ role, name, use, purpose }) => {
          const dataset = datasets[role];
          return (
            <div key={role} className="drop" data-role={role}>
              <span>
                <b>{name}</b>, {purpose}
              </span>
              {dataset?.origin === 'file' ? <b className="drop-name">{dataset.name}</b> : null}
              <span>{importing === role ? 'Reading' : dataset === undefined ? 'None' : `${formatCounted(dataset.rows, 'item')}, by ${measureInfo(dataset.measure).words}`}</span>
              {dataset === undefined ? null : <MeasuredNotes dataset={dataset} />}
              <span className="drop-acts" hidden={!usable}>
                {dataset === undefined ? null : (
                  <button type="button" className="link" aria-label={`Preview ${name.toLowerCase()} data`} onClick={() => openSheet(role)}>
                    Preview
                  </button>
                )}
                <FileButton className="link" accept={acceptedFiles} label={`Choose ${name.toLowerCase()} file`} onFile={(file) => void importFile(role, file)}>
                  Change<span className="vh"> {name.toLowerCase()} data. {use}</span>
                </FileButton>
              </span>
            </div>
          );
        })}
    </div>
  );
}

export function DataStation(): ReactElement {
  const train = useLab((state) => state.datasets.train);
  const notice = useLab((state) => state.importNotice);
  const fromFile = useLab((state) => Object.values(state.datasets).some((dataset) => dataset.origin === 'file'));
  const usable = useLab((state) => state.connection === 'ready');
  const problem = useLab((state) => state.fileProblem !== undefined);
  return (
    <>
      <FileAlert />
      <ImportProgress />
      {notice === undefined ? null : (
        <p className="note" role="status">
          {notice}
        </p>
      )}
      {usable && !problem ? (
        <div className="acts">
          <FileButton className="btn" accept={acceptedFiles} label="Choose training file" onFile={(file) => void importFile('train', file)}>
            <Icon name="file" />
            Choose a file
          </FileButton>
          {fromFile ? (
            <button type="button" className="btn quiet" onClick={() => void restoreDemoData()}>
              Back to the demo data
            </button>
          ) : null}
        </div>
      ) : null}
      {usable ? <p className="help">Or drop it anywhere: .jsonl, .json, .csv, .tsv, .txt or .parquet, also as .gz. Conversations, questions with answers, multiple choice or plain text. It is read on this machine and sent nowhere; a copy stays in this browser for the next visit and goes once nothing needs it (Model, Kept in this browser).</p> : null}
      {train === undefined ? null : <TrainingData dataset={train} />}
      {train === undefined ? null : <Measured />}
    </>
  );
}
