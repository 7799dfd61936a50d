/** @file One item: what was asked, what is right, and what each model answered. */
import type { ReactElement } from 'react';
import type { EvaluatedItem, Measure } from '../../worker/protocol.ts';
import { absent, formatCount, formatCounted } from '../format.ts';
import { ColumnSwatch } from '../parts/ColumnSwatch.tsx';
import { Icon } from '../parts/Icon.tsx';
import type { NamedReport } from './form.ts';
import { formatPerplexity, verdictOf } from './report.ts';
import { askInPlayground } from './session.ts';

type ItemAnswer = EvaluatedItem['answers'][number];

const icons = { correct: 'check', incorrect: 'x', partly: 'alert' } as const;
const classes = { correct: 'verdict ok', incorrect: 'verdict no', partly: 'verdict' } as const;

/** −12.34, with a true minus. */
const formatLogLikelihood = (value: number): string => (Number.isFinite(value) ? value.toFixed(2).replace('-', '\u2212') : absent);

function Verdict({ answer }: { readonly answer: ItemAnswer }): ReactElement | null {
  const found = verdictOf(answer.score, answer.given.length);
  if (found === undefined) return null;
  return (
    <span className={classes[found.verdict]}>
      <Icon name={icons[found.verdict]} />
      {found.words}
    </span>
  );
}

function Sample({ text, extracted, measure }: { readonly text: string; readonly extracted: string | undefined; readonly measure: Measure }): ReactElement {
  return (
    <>
      <p className="eval-given">{text.trim() === '' ? <span className="eval-none">nothing written</span> : text}</p>
      {measure === 'generation' ? (
        <p className="foot">
          {extracted === undefined ? (
            'No answer found in it'
          ) : (
            <>
              Taken as the answer: <b className="eval-answer">{extracted}</b>
            </>
          )}
        </p>
      ) : null}
    </>
  );
}

function Answer({ answer, measure, name }: { readonly answer: ItemAnswer; readonly measure: Measure; readonly name: string }): ReactElement {
  const [first, ...others] = answer.given;
  return (
    <div className="gen">
      <div className="gen-h">
        <ColumnSwatch column={answer.column} />
        <b>{name}</b>
        <Verdict answer={answer} />
      </div>
      {measure === 'choice' || first === undefined ? null : <Sample text={first} extracted={answer.extracted[0]} measure={measure} />}
      {others.length === 0 ? null : (
        <details>
          <summary className="link">{formatCounted(others.length, 'more sample')}</summary>
          {others.map((text, index) => (
            // Samples are a sequence; equal ones are told apart by place.
            <Sample key={index} text={text} extracted={answer.extracted[index + 1]} measure={measure} />
          ))}
        </details>
      )}
      {answer.perplexity === undefined || measure === 'choice' ? null : (
        <p className="foot">{measure === 'perplexity' ? <b>{formatPerplexity(answer.perplexity)}</b> : `Perplexity of the expected text ${formatPerplexity(answer.perplexity)}`}</p>
      )}
    </div>
  );
}

/** Log-likelihood of each option by model; the largest of a model is what it chose. */
function OptionTable({ item, names }: { readonly item: EvaluatedItem; readonly names: NamedReport['names'] }): ReactElement | null {
  const answers = item.answers.filter(({ options }) => options !== undefined);
  const options = answers[0]?.options;
  if (options === undefined) return null;
  return (
    <div className="eval-scroll" tabIndex={0} role="group" aria-label={`Log-likelihoods of item ${item.row}`}>
      <table className="tbl eval-options">
        <thead>
          <tr>
            <th scope="col">Option</th>
            {answers.map(({ column }) => (
              <th key={column} scope="col" className="n">
                {names[column] ?? column}, log-likelihood
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {options.map(({ text }, index) => (
            // Two options may be the same text; their place tells them apart.
            <tr key={index}>
              <th scope="row">
                {text}
                {text === item.expected ? (
                  <span className="verdict ok">
                    <Icon name="check" />
                    right
                  </span>
                ) : null}
              </th>
              {answers.map(({ column, options: own = [], given }) => (
                <td key={column} className="n">
                  {given[0] === own[index]?.text ? <b>chosen {formatLogLikelihood(own[index]?.logLikelihood ?? Number.NaN)}</b> : formatLogLikelihood(own[index]?.logLikelihood ?? Number.NaN)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function ItemView({ item, named }: { readonly item: EvaluatedItem; readonly named: NamedReport }): ReactElement {
  const { request } = named.report;
  const { row, group, prompt, expected, answers } = item;
  const ordered = [...answers.filter(({ column }) => column === 'base'), ...answers.filter(({ column }) => column !== 'base')];
  return (
    <article className="eval-item" aria-label={`Item ${formatCount(row)}`}>
      <header>
        <span className="ln">{formatCount(row)}</span>
        <p className="q">{prompt === '' ? expected : prompt}</p>
        {group === undefined ? null : <span className="qk">{group}</span>}
        {prompt === '' ? null : (
          <button type="button" className="link" onClick={() => askInPlayground(item, request)}>
            Ask in the playground
          </button>
        )}
      </header>
      {prompt === '' || request.measure === 'perplexity' ? null : (
        <p className="eval-expected">
          Expected <b>{expected}</b>
        </p>
      )}
      <div className="gens eval-answers">
        {ordered.map((answer) => (
          <Answer key={answer.column} answer={answer} measure={request.measure} name={named.names[answer.column] ?? answer.column} />
        ))}
      </div>
      <OptionTable item={{ ...item, answers: ordered }} names={named.names} />
    </article>
  );
}
