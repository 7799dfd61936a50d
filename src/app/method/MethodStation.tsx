/** @file The Method station: which method, its parameters, what is trained, and the optimizer. */
import type { ReactElement } from 'react';
import { Swatch } from '../charts/Swatch.tsx';
import type { MethodId } from '../../worker/protocol.ts';
import { chooseMethod, useLab } from '../store.ts';
import { MethodParameters } from './MethodParameters.tsx';
import { methods, type MethodInfo } from './methods.ts';
import { OptimizerEditor } from './OptimizerEditor.tsx';
import { TrainedWeights } from './TrainedWeights.tsx';

function Choice({ method, chosen }: { readonly method: MethodInfo; readonly chosen: MethodId }): ReactElement {
  const checked = method.id === chosen;
  return (
    <>
      <label className="choice meth">
        <input type="radio" name="method" checked={checked} onChange={() => chooseMethod(method.id)} />
        <Swatch method={method.id} />
        <span>
          <b>{method.label}</b>
          <small>{method.summary}</small>
        </span>
      </label>
      {checked ? <MethodParameters method={method} /> : null}
    </>
  );
}

export function MethodStation(): ReactElement {
  const chosen = useLab((state) => state.config.method);
  return (
    <>
      <div className="choices" role="radiogroup" aria-label="Method">
        {methods.map((method) => (
          <Choice key={method.id} method={method} chosen={chosen} />
        ))}
      </div>
      <TrainedWeights />
      <OptimizerEditor />
    </>
  );
}
