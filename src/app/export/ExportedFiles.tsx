/** @file What was written, what reading it back found, and how to open it. */
import type { ReactElement } from 'react';
import type { ExportResult } from '../../worker/protocol.ts';
import { CheckList } from '../data/CheckList.tsx';
import { formatBytes, formatCounted } from '../format.ts';
import { CopyButton } from '../parts/CopyButton.tsx';
import { Icon } from '../parts/Icon.tsx';
import { allPassed, download } from './write.ts';

/** The folder inside the zip. */
export const folderOf = (fileName: string): string => fileName.replace(/\.zip$/, '');

export function ExportedFiles({ result }: { readonly result: ExportResult }): ReactElement {
  const { fileName, files, verification } = result;
  const folder = folderOf(fileName);
  const code = `from transformers import AutoModelForCausalLM, AutoTokenizer\nmodel = AutoModelForCausalLM.from_pretrained("${folder}")\ntokenizer = AutoTokenizer.from_pretrained("${folder}")`;
  return (
    <>
      <figure className="plate">
        <figcaption>
          <b>What is written</b>
          <span>{formatCounted(files.length, 'file')}</span>
          {allPassed(result) ? (
            <em>
              <button type="button" className="btn quiet" onClick={() => download(result)}>
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
      </figure>
      <figure className="plate">
        <figcaption>
          <b>{allPassed(result) ? 'Verified' : 'Not verified'}</b>
          <span>by reading it back</span>
        </figcaption>
        <CheckList checks={verification.map(({ check, passed, detail }) => ({ verdict: passed ? 'ok' : 'bad', text: detail === '' ? check : `${check}: ${detail}` }))} />
      </figure>
      {allPassed(result) ? (
        <figure className="plate">
          <figcaption>
            <b>Open it</b>
            <span>after unpacking the zip</span>
            <em>
              <CopyButton text={code} label="Copy" quiet />
            </em>
          </figcaption>
          <pre className="code" tabIndex={0} aria-label="Python that opens the files">
            {code}
          </pre>
        </figure>
      ) : null}
    </>
  );
}
