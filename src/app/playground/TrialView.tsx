/** @file One prompt with the answers to it, side by side. */
import { memo, type ReactElement } from 'react';
import { formatCount, formatCounted, formatProbability } from '../format.ts';
import { ColumnSwatch } from '../parts/ColumnSwatch.tsx';
import { Icon } from '../parts/Icon.tsx';
import { Ring } from '../parts/Ring.tsx';
import { decodingText } from '../run/phases.ts';
import { useLab } from '../store.ts';
import { expectedAnswer, isRight, marksAgainst, meanProbability, type Answer, type Trial } from './answers.ts';
import { AnswerTokens } from './AnswerTokens.tsx';

const sources = { heldOut: 'In-domain', outOfDomain: 'Out-of-domain' } as const;

function Verdict({ right }: { readonly right: boolean | undefined }): ReactElement | null {
  if (right === undefined) return null;
  return (
    <span className={right ? 'verdict ok' : 'verdict no'}>
      <Icon name={right ? 'check' : 'x'} />
      {right ? 'correct' : 'wrong'}
    </span>
  );
}

/** The line under an answer: its length, how sure the model was, and how it ended. */
function summary(answer: Answer): string {
  if (answer.ended === undefined) {
    const progress = answer.progress === undefined ? '' : decodingText(answer.progress);
    if (answer.tokens.length === 0) return progress === '' ? 'Waiting' : `Reading the prompt: ${progress}`;
    return `${formatCounted(answer.tokens.length, 'token')} so far${progress === '' ? '' : `; with the prompt ${progress}`}`;
  }
  const ended = answer.ended === 'limit' ? ', stopped at the limit' : answer.ended === 'stopped' ? ', stopped by you' : '';
  const mean = meanProbability(answer);
  return mean === undefined ? `No tokens${ended}` : `${formatCounted(answer.tokens.length, 'token')}, mean probability ${formatProbability(mean)}${ended}`;
}

function AnswerView({ answer, trial }: { readonly answer: Answer; readonly trial: Trial }): ReactElement {
  const referenceColumn = useLab((state) => state.playground.reference);
  const reference = trial.answers.find(({ column }) => column === referenceColumn) ?? trial.answers[0];
  const marks = reference === undefined || reference === answer ? undefined : marksAgainst(answer, reference);
  return (
    <div className="gen">
      <div className="gen-h">
        <ColumnSwatch column={answer.column} />
        <b>{answer.name}</b>
        {answer.ended === undefined && trial.problem === undefined ? <Ring state="live" /> : null}
        <Verdict right={isRight(answer, trial.source)} />
      </div>
      <AnswerTokens answer={answer} marks={marks} prompt={trial.prompt} />
      <p className="foot">{trial.problem === undefined ? summary(answer) : ''}</p>
    </div>
  );
}

export const TrialView = memo(function TrialView({ trial }: { readonly trial: Trial }): ReactElement {
  const { prompt, source, answers, problem } = trial;
  const complete = answers.every(({ ended }) => ended !== undefined);
  return (
    <article className="trial" aria-label={`Answers to: ${prompt}`}>
      <header>
        {source === undefined ? null : <span className="qk">{sources[source.role]}</span>}
        <p className="q">{prompt}</p>
        {source?.expected === undefined ? null : (
          <span className="gold">
            expected <b title={source.expected}>{expectedAnswer(source)}</b>
          </span>
        )}
      </header>
      {problem === undefined ? null : <p className="note bad">{problem}</p>}
      <div className="gens" data-columns={answers.length}>
        {answers.map((answer) => (
          <AnswerView key={answer.column} answer={answer} trial={trial} />
        ))}
      </div>
      <p className="vh" aria-live="polite">
        {complete ? answers.map(({ name, tokens }) => `${name}: ${tokens.map(({ text }) => text).join('')} (${formatCount(tokens.length)} tokens).`).join(' ') : ''}
      </p>
    </article>
  );
});
