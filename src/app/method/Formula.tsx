/** @file What each method minimises, over all weights or over adapters. */
import { Fragment, type ReactElement } from 'react';
import type { RunConfig } from '../../worker/protocol.ts';
import { formatParameter } from '../format.ts';
import { formulaLines, formulaPieces, formulasOf, type FormulaPiece } from './formulas.ts';
import { loraScale } from './loraWeights.ts';

function Piece({ face, place, text }: FormulaPiece): ReactElement {
  const written = face === 'variable' ? <i>{text}</i> : face === 'sum' ? <span className="op">{text}</span> : <>{text}</>;
  return place === 'sub' ? <sub>{written}</sub> : place === 'super' ? <sup>{written}</sup> : written;
}

/** A formula of the registry in its plain form, typeset. */
export function FormulaText({ text, spoken }: { readonly text: string; readonly spoken: string }): ReactElement {
  return (
    <div className="formula" role="math" aria-label={spoken}>
      {formulaLines(text).map((line) => (
        <div key={line.join(' ')}>
          {line.map((part, place) => (
            <Fragment key={part}>
              {place === 0 ? '' : ' '}
              <span>
                {formulaPieces(part).map((piece, index) => (
                  <Piece key={`${index}${piece.text}`} {...piece} />
                ))}
              </span>
            </Fragment>
          ))}
        </div>
      ))}
    </div>
  );
}

export function Formula({ config }: { readonly config: RunConfig }): ReactElement {
  const { lora } = config;
  return (
    <>
      {formulasOf(config, lora !== undefined).map((formula) => (
        <FormulaText key={formula.text} {...formula} />
      ))}
      {lora === undefined ? null : (
        <FormulaText
          text={`W = W₀ + s B A, s = α / ${lora.rsLora ? '√' : ''}r = ${formatParameter(loraScale(lora))}`}
          spoken={`W is W zero plus s times B times A, where s is alpha over ${lora.rsLora ? 'the square root of r' : 'r'}`}
        />
      )}
    </>
  );
}
