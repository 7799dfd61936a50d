/** @file The tokens of an answer: probability as a line under each, marks where it parts from the reference, likeliest alternatives on demand. */
import { Fragment, useRef, useState, type CSSProperties, type KeyboardEvent, type ReactElement } from 'react';
import { tokenText } from '../data/tokenText.ts';
import { formatProbability } from '../format.ts';
import { lab } from '../lab.ts';
import type { Answer, Mark } from './answers.ts';

interface Likeliest {
  readonly place: number;
  /** Undefined until they arrive. */
  readonly tokens: readonly { readonly text: string; readonly probability: number }[] | undefined;
}

const markNames: Readonly<Record<Mark, string>> = { same: '', first: ', the first that differs', later: ', differs' };
const markClasses: Readonly<Record<Mark, string>> = { same: '', first: ' diff parts', later: ' diff' };

/** The share of the line under a token, as the custom property that the style sheet reads. */
const line = (probability: number): CSSProperties => ({ '--p': `${Math.round(probability * 100)}%` }) as CSSProperties;

function LikeliestList({ name, place, tokens }: { readonly name: string } & Likeliest): ReactElement {
  return (
    <span className="tip ptip" role="tooltip" id="likeliest">
      <b>
        Token {place + 1} of {name}
      </b>
      {tokens === undefined
        ? 'asking'
        : tokens.map(({ text, probability }) => (
            <span className="prow" key={text}>
              <span>{tokenText(text, true).shown}</span>
              <span className="pb">
                <i style={{ width: `${probability * 100}%` }} />
              </span>
              <span>{formatProbability(probability)}</span>
            </span>
          ))}
    </span>
  );
}

export function AnswerTokens({ answer, marks, prompt }: { readonly answer: Answer; readonly marks: readonly Mark[] | undefined; readonly prompt: string }): ReactElement {
  const { tokens, column, name, ended } = answer;
  const [at, setAt] = useState(0);
  const [likeliest, setLikeliest] = useState<Likeliest>();
  const stream = useRef<HTMLDivElement>(null);
  const show = (place: number): void => {
    setAt(place);
    if (ended === undefined) return;
    setLikeliest({ place, tokens: undefined });
    const before = tokens.slice(0, place).map(({ id }) => id);
    lab().alternatives(column, prompt, before).then(
      (found) => setLikeliest((current) => (current?.place === place ? { place, tokens: found } : current)),
      // The run may be gone by now; the tokens stay, there is just nothing more to say about them.
      () => setLikeliest(undefined),
    );
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, number>> = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tokens.length - 1 };
    const next = steps[event.key];
    if (next === undefined || tokens[next] === undefined) return;
    event.preventDefault();
    stream.current?.querySelectorAll<HTMLElement>('.gtok')[next]?.focus();
  };
  return (
    <div ref={stream} className="stream" role="group" aria-label={`Answer of ${name}`} onMouseLeave={() => setLikeliest(undefined)}>
      {tokens.map(({ text, probability }, place) => {
        const { spaced, shown, breaks } = tokenText(text, place === 0);
        const mark = marks?.[place] ?? 'same';
        return (
          // An answer is a sequence: the place is the identity of a token.
          <Fragment key={place}>
            {spaced ? ' ' : null}
            <button
              type="button"
              className={`gtok${markClasses[mark]}`}
              style={line(probability)}
              tabIndex={place === at ? 0 : -1}
              aria-label={`${shown}, probability ${formatProbability(probability)}${markNames[mark]}`}
              aria-describedby={likeliest?.place === place ? 'likeliest' : undefined}
              onMouseEnter={() => show(place)}
              onFocus={() => show(place)}
              onBlur={() => setLikeliest(undefined)}
              onKeyDown={onKeyDown}
            >
              {shown}
              {likeliest?.place === place ? <LikeliestList name={name} {...likeliest} /> : null}
            </button>
            {breaks > 0 ? <br /> : <wbr />}
          </Fragment>
        );
      })}
      {ended === undefined ? <span className="stream-caret" aria-hidden="true" /> : null}
    </div>
  );
}
