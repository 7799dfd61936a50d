/** @file What is trained: all weights, or low-rank adapters of chosen layers. */
import type { ReactElement } from 'react';
import type { LoraConfig, ModelSummary } from '../../worker/protocol.ts';
import { formatCount, formatCounted, formatPercent } from '../format.ts';
import { NumberField } from '../parts/NumberField.tsx';
import { Segments } from '../parts/Segments.tsx';
import { Switch } from '../parts/Switch.tsx';
import { editLora, trainLora, useLab } from '../store.ts';
import { checkConfig } from './fields.ts';
import { loraWeights } from './loraWeights.ts';

const kinds = [
  { value: 'full', label: 'All weights' },
  { value: 'lora', label: 'LoRA' },
] as const;

/** Layers as toggles, each with the number of weights its adapters hold. */
function Targets({ lora, model }: { readonly lora: LoraConfig; readonly model: ModelSummary }): ReactElement {
  const toggle = (name: string, on: boolean): void =>
    editLora({ targets: model.linears.map((linear) => linear.name).filter((known) => (known === name ? on : lora.targets.includes(known))) });
  return (
    <fieldset className="targets">
      <legend>Adapted layers</legend>
      {model.linears.map(({ name, count }) => (
        <label key={name} className="target" title={`${formatCounted(count, 'matrix', 'matrices')} named ${name}`}>
          <input type="checkbox" checked={lora.targets.includes(name)} onChange={(event) => toggle(name, event.target.checked)} />
          <span>{name}</span>
          <em>{formatCount(loraWeights(model, [name], lora.rank))}</em>
        </label>
      ))}
    </fieldset>
  );
}

function LoraParameters({ lora, model }: { readonly lora: LoraConfig; readonly model: ModelSummary }): ReactElement {
  const problems = checkConfig(useLab((state) => state.config));
  const trained = loraWeights(model, lora.targets, lora.rank);
  return (
    <div className="params lora">
      <NumberField field="loraRank" value={lora.rank} problem={problems.loraRank} onChange={(rank) => editLora({ rank })} />
      <NumberField field="loraAlpha" value={lora.alpha} problem={problems.loraAlpha} onChange={(alpha) => editLora({ alpha })} />
      <Targets lora={lora} model={model} />
      <p className="help">
        {problems.loraTargets === undefined ? `${formatCounted(trained, 'weight')} are trained, ${formatPercent(trained / model.parameters)} of the model.` : <span className="err">{problems.loraTargets}.</span>}
      </p>
      <Switch label="rsLoRA" checked={lora.rsLora} onChange={(rsLora) => editLora({ rsLora })} help="Counts the adapter α / √r times, so that a high rank still learns." />
    </div>
  );
}

export function TrainedWeights(): ReactElement {
  const lora = useLab((state) => state.config.lora);
  const model = useLab((state) => state.model);
  return (
    <div className="trained">
      <div className="field">
        <span className="field-l">Train</span>
        <Segments legend="What is trained" options={kinds} value={lora === undefined ? 'full' : 'lora'} onChange={(kind) => trainLora(kind === 'lora')} />
      </div>
      {lora === undefined || model === undefined ? null : <LoraParameters lora={lora} model={model} />}
    </div>
  );
}
