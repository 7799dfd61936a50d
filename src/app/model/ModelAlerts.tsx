/** @file What stands in the way of a model: a problem with what still holds, and the question before runs are let go that could not be kept. */
import type { ReactElement } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { formatCounted } from '../format.ts';
import { Alert } from '../parts/Alert.tsx';
import { useLab, type ModelRequest } from '../store.ts';
import { namesOfRuns, openModel, originName, requestModel, runsToLose } from './opening.ts';

function Problem(): ReactElement | null {
  const problem = useLab((state) => state.modelProblem);
  if (problem === undefined) return null;
  const { title, message, stillHolds, retry } = problem;
  const dismiss = (): void => useLab.setState({ modelProblem: undefined });
  return (
    <Alert
      title={title}
      actions={
        <>
          {retry === undefined ? null : (
            <button
              type="button"
              className="btn"
              onClick={() => {
                dismiss();
                void requestModel(retry);
              }}
            >
              Try again
            </button>
          )}
          <button type="button" className="btn quiet" onClick={dismiss}>
            Dismiss
          </button>
        </>
      }
    >
      <p>{message}</p>
      {stillHolds === '' ? null : <p>{stillHolds}</p>}
    </Alert>
  );
}

/** What the runs are let go for. */
function why({ origin, precision }: ModelRequest): string {
  if (origin.kind === 'precision') return `Keeping the weights in ${precision} opens the model again.`;
  if (origin.kind === 'files' && origin.files.some(({ path }) => /\.zip$/i.test(path))) return 'If this zip holds another model and not an adapter or an exported run, it takes the place of the open one.';
  return 'Another model takes the place of the open one. Runs that are kept come back with it.';
}

function Question(): ReactElement | null {
  const request = useLab((state) => state.confirming);
  const lost = useLab(useShallow(runsToLose));
  const model = useLab((state) => state.model);
  if (request === undefined) return null;
  const cancel = (): void => useLab.setState({ confirming: undefined });
  return (
    <Alert
      title={`Let ${formatCounted(lost.length, 'run')} go?`}
      actions={
        <>
          <button type="button" className="btn danger" onClick={() => void openModel(request)}>
            {request.origin.kind === 'precision' ? `Reopen in ${request.precision}` : `Open ${request.origin.kind === 'built-in' ? 'the built-in model' : originName(request, model)}`}
          </button>
          {/* The safe answer has the focus. */}
          {/* oxlint-disable-next-line jsx-a11y/no-autofocus */}
          <button type="button" className="btn" autoFocus onClick={cancel}>
            Keep the runs
          </button>
        </>
      }
    >
      <p>{why(request)}</p>
      <p>
        {namesOfRuns(lost)} could not be kept in this browser: weights and curves would be gone. Export what should last first.
      </p>
    </Alert>
  );
}

export function ModelAlerts(): ReactElement {
  return (
    <>
      <Problem />
      <Question />
    </>
  );
}
