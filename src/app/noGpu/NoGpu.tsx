/** @file Where training is not possible: what is missing, what to do about it, and the diagnostics to pass on. */
import { useEffect, type ReactElement } from 'react';
import { CopyButton } from '../parts/CopyButton.tsx';
import { Icon } from '../parts/Icon.tsx';
import { showRecording } from '../recorded.ts';
import { useLab } from '../store.ts';
import { headline, partChecks, whatToDo, type PartCheck } from './diagnosis.ts';

const marks = { ok: 'check', bad: 'x' } as const;
const words = { ok: 'There: ', bad: 'Missing: ', unknown: '' } as const;

function Checks({ checks }: { readonly checks: readonly PartCheck[] }): ReactElement {
  return (
    <table className="checks">
      <caption className="vh">What training needs, in the order it is asked for</caption>
      <tbody>
        {checks.map(({ name, verdict, finding }) => (
          <tr key={name} className={verdict === 'unknown' ? 'na' : verdict}>
            <td>{verdict === 'unknown' ? null : <Icon name={marks[verdict]} />}</td>
            <th scope="row">{name}</th>
            <td>
              <span className="vh">{words[verdict]}</span>
              {finding}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function NoGpu(): ReactElement {
  const diagnosis = useLab((state) => state.diagnosis);
  const message = useLab((state) => state.connectionMessage);
  const hasRecording = useLab((state) => state.recording.status === 'shown');
  const problem = diagnosis?.problem;
  useEffect(() => void showRecording(), []);
  return (
    <>
      <header className="lead one">
        <div className="lead-say">
          <h2 className="lead-line">{headline(problem)}</h2>
          <p className="lead-sub">{message ?? problem?.message}
            {hasRecording ? ' The recorded run below, and its views in Spectrum, work without one.' : ''}</p>
        </div>
      </header>
      <div className="diag">
        {diagnosis === undefined ? <p className="help">The diagnosis was not reached.</p> : <Checks checks={partChecks(diagnosis)} />}
        <div className="do">
          <b>What to do</b>
          <ol>
            {whatToDo(problem).map((step) => (
              <li key={step}>{step}</li>
            ))}
          </ol>
          <div className="acts">
            <button type="button" className="btn primary" onClick={() => location.reload()}>
              Check again
            </button>
            <CopyButton text={diagnosis?.report ?? message ?? ''} label="Copy diagnostics" />
          </div>
        </div>
      </div>
    </>
  );
}
