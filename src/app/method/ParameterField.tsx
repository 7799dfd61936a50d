/** @file One parameter of a method: a number with its slider, or a switch. */
import type { ReactElement } from 'react';
import type { MethodParameter, NumberParameter } from '../../worker/methods.ts';
import { NumberField } from '../parts/NumberField.tsx';
import { Switch } from '../parts/Switch.tsx';
import { editConfig, useLab } from '../store.ts';
import { numberFields } from './fields.ts';

/** A logarithmic slider reaches so far to either side of the default. */
const reach = 1000;

/** Positions of a slider, and the value at one of them. */
function sliderOf({ scale, step, least, most, ...parameter }: NumberParameter): { readonly least: number; readonly most: number; readonly step: number; readonly at: (value: number) => number; readonly value: (position: number) => number } {
  if (scale === 'linear') return { least, most, step, at: (value) => value, value: (position) => position };
  const ends = Math.floor(Math.log(reach) / Math.log(step));
  const clamp = (position: number): number => Math.max(-ends, Math.min(ends, Math.round(position)));
  return {
    least: -ends, most: ends, step: 1,
    at: (value) => (value > 0 ? clamp(Math.log(value / parameter.default) / Math.log(step)) : -ends),
    value: (position) => Number((parameter.default * step ** position).toPrecision(2)),
  };
}

function Slider({ parameter, value }: { readonly parameter: NumberParameter; readonly value: number }): ReactElement {
  const { name, symbol, scale, id } = parameter;
  const slider = sliderOf(parameter);
  return (
    <input
      type="range"
      aria-label={`${symbol}, ${name.toLowerCase()}${scale === 'log' ? ', logarithmic' : ''}`}
      min={slider.least}
      max={slider.most}
      step={slider.step}
      value={slider.at(value)}
      aria-valuetext={numberFields[id].write(value)}
      onChange={(event) => editConfig({ [id]: slider.value(Number(event.target.value)) })}
    />
  );
}

export function ParameterField({ parameter, problem }: { readonly parameter: MethodParameter; readonly problem: string | undefined }): ReactElement {
  const config = useLab((state) => state.config);
  if (parameter.kind === 'flag') return <Switch label={parameter.name} help={parameter.description} checked={config[parameter.id]} onChange={(on) => editConfig({ [parameter.id]: on })} />;
  const { id, symbol, name } = parameter;
  return (
    <NumberField
      field={id}
      label={
        <>
          <i className="mv">{symbol}</i> {name.toLowerCase()}
        </>
      }
      value={config[id]}
      problem={problem}
      onChange={(value) => editConfig({ [id]: value })}
      slider={<Slider parameter={parameter} value={config[id]} />}
    />
  );
}
