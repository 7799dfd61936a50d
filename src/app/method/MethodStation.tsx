/** @file The Method station: which method, its parameters, what is trained, and the optimizer. */
import { useId, useState, type ReactElement } from 'react';
import { METHODS, methodInfo, type MethodInfo } from '../../worker/methods.ts';
import { Swatch } from '../charts/Swatch.tsx';
import { Icon } from '../parts/Icon.tsx';
import { chooseMethod, useLab } from '../store.ts';
import { checkConfig } from './fields.ts';
import { MethodParameters } from './MethodParameters.tsx';
import { needsAllWeights } from './methodSettings.ts';
import { OptimizerEditor } from './OptimizerEditor.tsx';
import { ReinforceEditor } from './ReinforceEditor.tsx';
import { TrainedWeights } from './TrainedWeights.tsx';

const groups: readonly { readonly name: string; readonly methods: readonly MethodInfo[] }[] = [
  { name: 'Plain', methods: METHODS.filter(({ objective, penalty }) => objective === 'sft' && penalty === undefined) },
  { name: 'RPSFT and its kin', methods: METHODS.filter(({ penalty, control }) => penalty !== undefined && !control) },
  { name: 'Other objectives', methods: METHODS.filter(({ objective, control }) => objective !== 'sft' && !control) },
];

const controls = METHODS.filter(({ control }) => control);

function Choice({ method: { id, name, summary } }: { readonly method: MethodInfo }): ReactElement {
  const checked = useLab((state) => state.config.method === id);
  const problem = useLab(({ config }) => (config.method === id ? checkConfig(config).method : undefined));
  const isOff = useLab(({ config }) => config.lora !== undefined && needsAllWeights(id)) && !checked;
  return (
    <>
      <label className={isOff ? 'choice meth off' : 'choice meth'}>
        <input type="radio" name="method" checked={checked} disabled={isOff} onChange={() => chooseMethod(id)} />
        <Swatch method={id} />
        <span>
          <b>{name}</b>
          <small>{isOff ? 'Needs all weights: adapters have no gradient of a whole matrix' : summary}</small>
        </span>
      </label>
      {problem === undefined ? null : (
        <p className="note bad meth-problem" role="alert">
          {problem}. Choose All weights below, or another method.
        </p>
      )}
      {checked ? <MethodParameters /> : null}
    </>
  );
}

function Group({ name, methods }: (typeof groups)[number]): ReactElement {
  const id = useId();
  return (
    <div role="group" aria-labelledby={id}>
      <p className="meth-group" id={id}>
        {name}
      </p>
      {methods.map((method) => (
        <Choice key={method.id} method={method} />
      ))}
    </div>
  );
}

/** Closed unless one of them is chosen when the station opens. */
function Controls(): ReactElement {
  const chosen = useLab((state) => methodInfo(state.config.method));
  const [open, setOpen] = useState(chosen.control);
  return (
    <details className="more meth-controls" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        Controls
        <span>{chosen.control ? `${chosen.name} is chosen` : 'Show what another method is worth'}</span>
        <Icon name="chevron" className="chev" />
      </summary>
      <div role="group" aria-label="Controls">
        {controls.map((method) => (
          <Choice key={method.id} method={method} />
        ))}
      </div>
    </details>
  );
}

function Methods(): ReactElement {
  return (
    <div className="choices" role="radiogroup" aria-label="Method">
      {groups.map((group) => (
        <Group key={group.name} {...group} />
      ))}
      <Controls />
    </div>
  );
}

export function MethodStation(): ReactElement {
  const reinforce = useLab((state) => state.config.reinforce);
  return (
    <>
      {reinforce === undefined ? <Methods /> : <ReinforceEditor reinforce={reinforce} />}
      <TrainedWeights />
      <OptimizerEditor />
    </>
  );
}
