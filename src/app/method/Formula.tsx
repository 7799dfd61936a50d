/** @file What each method minimises. */
import type { ReactElement } from 'react';
import type { MethodId } from '../../worker/protocol.ts';

const spoken: Readonly<Record<MethodId, string>> = {
  sft: 'Loss is the mean over answer tokens of minus log p of the token',
  rpsft: 'Loss of SFT plus lambda times the sum over weights of the squared Frobenius norm of U k transposed times W minus W zero times V k',
  l2sp: 'Loss of SFT plus lambda times the sum over weights of the squared Frobenius norm of W minus W zero',
};

const squared = (
  <span className="ss">
    <sup>2</sup>
    <sub>
      <i>F</i>
    </sub>
  </span>
);

const change = (
  <>
    <i>W</i> − <i>W</i>
    <sub>0</sub>
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

const written: Readonly<Record<MethodId, ReactElement>> = {
  sft: (
    <>
      <i>L</i>
      <sub>SFT</sub> = −mean log <i>p</i>(answer token)
    </>
  ),
  rpsft: (
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
  l2sp: (
    <>
      {penalised}‖{change}‖{squared}
    </>
  ),
};

export function Formula({ method }: { readonly method: MethodId }): ReactElement {
  return (
    <div className="formula" role="math" aria-label={spoken[method]}>
      {written[method]}
    </div>
  );
}
