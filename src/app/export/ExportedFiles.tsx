/** @file What was written, what reading it back found, and how to open it. */
import type { ReactElement } from 'react';
import type { ExportResult, ModelSummary } from '../../worker/protocol.ts';
import { CheckList } from '../data/CheckList.tsx';
import { formatBytes, formatCounted, formatPercent } from '../format.ts';
import { CopyButton } from '../parts/CopyButton.tsx';
import { Icon } from '../parts/Icon.tsx';
import type { Exported } from '../store.ts';
import { baseName, commands } from './kinds.ts';
import { allPassed, download } from './write.ts';

/** The folder inside the zip. */
export const folderOf = (fileName: string): string => fileName.replace(/\.zip$/, '');

/** What an adapter that was extracted from a full run keeps of it. */
function Retained({ energy, rank }: { readonly energy: number; readonly rank: number }): ReactElement {
  return (
    <p className="foot">
      Rank {rank} keeps <b>{formatPercent(energy)}</b> of the squared change of the weights. What it leaves out is what base plus adapter will not do as this run does; a higher rank keeps more.
    </p>
  );
}

export interface ExportedFilesProps {
  readonly exported: Exported;
  readonly result: ExportResult;
  readonly model: ModelSummary;
}

export function ExportedFiles({ exported, result, model }: ExportedFilesProps): ReactElement {
  const { file, fileName, files, verification, retainedEnergy } = result;
  const passed = allPassed(result);
  const folder = folderOf(fileName);
  return (
    <>
      <figure className="plate">
        <figcaption>
          <b>What is written</b>
          <span>{formatCounted(files.length, 'file')}</span>
          {passed && file !== undefined ? (
            <em>
              <button type="button" className="btn quiet" onClick={() => download(file, fileName)}>
                <Icon name="download" />
                Save again
              </button>
            </em>
          ) : null}
        </figcaption>
        <table className="tbl files">
          <tbody>
            {files.map(({ name, bytes }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td className="n">{formatBytes(bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {retainedEnergy === undefined ? null : <Retained energy={retainedEnergy} rank={exported.options.rank} />}
      </figure>
      <figure className="plate">
        <figcaption>
          <b>{passed ? 'Verified' : 'Not verified'}</b>
          <span>by reading it back</span>
        </figcaption>
        <CheckList checks={verification.map(({ check, passed: good, detail }) => ({ verdict: good ? 'ok' : 'bad', text: detail === '' ? check : `${check}: ${detail}` }))} />
      </figure>
      {passed && exported.options.kind !== 'model' && model.source === 'built-in' ? (
        <p className="help">
          {baseName(model)} stands for a folder with the files of the built-in model, which lie in <code>public/model</code> of Gimbal.
        </p>
      ) : null}
      {passed
        ? commands(exported.options.kind, folder, model).map(({ tool, language, code }) => (
            <figure className="plate" key={tool}>
              <figcaption>
                <b>Open it in {tool}</b>
                <span>{exported.folder === undefined ? 'after unpacking the zip' : language}</span>
                <em>
                  <CopyButton text={code} label="Copy" quiet />
                </em>
              </figcaption>
              <pre className="code" tabIndex={0} aria-label={`${language} for ${tool}`}>
                {code}
              </pre>
            </figure>
          ))
        : null}
    </>
  );
}
