/** @file What each method minimises, over all weights or over adapters. */
import type { ReactElement } from 'react';
import type { LoraConfig, MethodId } from '../../worker/protocol.ts';
import { formatParameter } from '../format.ts';
import { loraScale } from './loraWeights.ts';

const spoken: Readonly<Record<MethodId, (change: string) => string>> = {
  sft: () => 'Loss is the mean over answer tokens of minus log p of the token',
  rpsft: (change) => `Loss of SFT plus lambda times the sum over weights of the squared Frobenius norm of U k transposed times ${change} times V k`,
  l2sp: (change) => `Loss of SFT plus lambda times the sum over weights of the squared Frobenius norm of ${change}`,
};

const squared = (
  <span className="ss">
    <sup>2</sup>
    <sub>
      <i>F</i>
    </sub>
  </span>
);

const fullChange = (
  <>
    <i>W</i> − <i>W</i>
    <sub>0</sub>
  </>
);

/** The change of an adapted matrix; the penalty takes it in this factored form, so that it is never multiplied out. */
const loraChange = (
  <>
    <i>s</i> <i>B</i> <i>A</i>
  </>
);

const penalised = (
  <>
    <i>L</i> = <i>L</i>
    <sub>SFT</sub> + <i>λ</i> <span className="op">∑</span>
    <sub>
      <i>W</i>
    </sub>{' '}
  </>
);

const written: Readonly<Record<MethodId, (change: ReactElement) => ReactElement>> = {
  sft: () => (
    <>
      <i>L</i>
      <sub>SFT</sub> = −mean log <i>p</i>(answer token)
    </>
  ),
  rpsft: (change) => (
    <>
      {penalised}‖
      <i>
        U<sub>k</sub>
      </i>
      <sup>⊤</sup>({change})
      <i>
        V<sub>k</sub>
      </i>
      ‖{squared}
    </>
  ),
  l2sp: (change) => (
    <>
      {penalised}‖{change}‖{squared}
    </>
  ),
};

export function Formula({ method, lora }: { readonly method: MethodId; readonly lora: LoraConfig | undefined }): ReactElement {
  const isFull = lora === undefined;
  return (
    <>
      <div className="formula" role="math" aria-label={spoken[method](isFull ? 'W minus W zero' : 's times B times A')}>
        {written[method](isFull ? fullChange : loraChange)}
      </div>
      {isFull ? null : (
        <div className="formula" role="math" aria-label={`W is W zero plus s times B times A, where s is alpha over ${lora.rsLora ? 'the square root of r' : 'r'}`}>
          <i>W</i> = <i>W</i>
          <sub>0</sub> + {loraChange}, <i>s</i> = <i>α</i> / {lora.rsLora ? '√' : ''}
          <i>r</i> = {formatParameter(loraScale(lora))}
        </div>
      )}
    </>
  );
}
