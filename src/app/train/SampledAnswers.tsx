/** @file A look at what is rewarded: the answers that a step of GRPO has sampled to one question. */
import type { ReactElement } from 'react';
import type { SampledAnswers } from '../../worker/protocol.ts';
import { Plate } from '../charts/Plate.tsx';
import type { TableData } from '../charts/table.ts';
import { formatCount, formatCounted } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { isLive } from '../runs.ts';
import type { FigureSet } from './figureSet.ts';

const HEIGHT = 172;

/** "+1.6", with a true minus; nothing to learn is 0. */
const formatAdvantage = (value: number): string => (value === 0 ? '0' : `${value > 0 ? '+' : '\u2212'}${Math.abs(value).toFixed(1)}`);

type Sampled = SampledAnswers['answers'][number];

function Answer({ answer: { text, reward, advantage, ended } }: { readonly answer: Sampled }): ReactElement {
  const right = reward === 1;
  return (
    <li>
      <span className={right ? 'verdict ok' : 'verdict no'}>
        <Icon name={right ? 'check' : 'x'} />
        {right ? 'right' : 'wrong'}
      </span>
      <span className="sampled-advantage" title="Advantage: standard deviations over the mean of this group. What is above becomes likelier, what is below less likely.">
        {formatAdvantage(advantage)}
      </span>
      <span className="sampled-text">
        {text.trim() === '' ? <span className="eval-none">nothing written</span> : text}
        {ended ? null : <small>cut off</small>}
      </span>
    </li>
  );
}

const tableOf = ({ answers }: SampledAnswers): TableData => ({
  columns: [{ title: 'Answer' }, { title: 'Reward', format: String }, { title: 'Advantage', format: formatAdvantage }, { title: 'Ended' }],
  rows: answers.map(({ text, reward, advantage, ended }) => [text, reward, advantage, ended ? 'yes' : 'no']),
});

/** Of the current run. One that has ended shows what its last step sampled, as far as that is kept. */
export function SampledAnswersPlate({ figures }: { readonly figures: FigureSet }): ReactElement | null {
  const run = figures.drawn.at(-1)?.run;
  const sampled = run?.sampled;
  if (run === undefined || (sampled === undefined && !isLive(run))) return null;
  const title = 'Sampled answers';
  if (sampled === undefined) {
    return (
      <Plate title={title} span={12} height={HEIGHT} legend={[]}>
        <p className="groups-empty">The answers to one question show here after each step, with what they are worth.</p>
      </Plate>
    );
  }
  const { step, question, expected, of, answers } = sampled;
  const some = answers.length < of ? `the first ${answers.length} of ${formatCounted(of, 'answer')}` : formatCounted(of, 'answer');
  return (
    <Plate
      title={title}
      unit={`step ${formatCount(step)}, ${some} to one question${answers.every(({ advantage }) => advantage === 0) ? '; alike in reward, they teach nothing' : ''}`}
      help="A group of the latest step that teaches, where there is one: what is right against what is not. Advantages are taken over all its answers."
      span={12}
      height={HEIGHT}
      legend={figures.legend.slice(0, 1)}
      table={() => tableOf(sampled)}
    >
      <div className="sampled">
        <p className="sampled-question">
          {question} <span>Right: {expected}</span>
        </p>
        <ul aria-label={`Answers of step ${formatCount(step)}`}>
          {answers.map((answer, index) => (
            // A sequence: equal answers are told apart by place.
            <Answer key={index} answer={answer} />
          ))}
        </ul>
      </div>
    </Plate>
  );
}
