/** @file The slider over recorded steps; [ and ] move it by one from anywhere in the view. */
import { useEffect, useId, type ReactElement } from 'react';
import { formatCount } from '../format.ts';
import { useLab } from '../store.ts';

interface StepSliderProps {
  readonly steps: readonly number[];
  readonly index: number;
  readonly onChange: (index: number) => void;
}

const isField = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.matches('textarea, select, input:not([type="checkbox"], [type="radio"], [type="range"])');

/** Steps at which the drift was measured. */
export function StepSlider({ steps, index, onChange }: StepSliderProps): ReactElement {
  const id = useId();
  const letterKeys = useLab((state) => state.letterKeys);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (!letterKeys || event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
      const move = event.key === '[' ? -1 : event.key === ']' ? 1 : 0;
      if (move !== 0) onChange(Math.max(0, Math.min(steps.length - 1, index + move)));
    };
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, [letterKeys, steps, index, onChange]);
  const step = formatCount(steps[index]);
  return (
    <div className="spectrum-stepper">
      <label htmlFor={id}>Step</label>
      <input
        id={id}
        type="range"
        min="0"
        max={steps.length - 1}
        step="1"
        value={index}
        aria-valuetext={`step ${step}`}
        onChange={(event) => onChange(Number(event.target.value))}
      />
      <output htmlFor={id}>{step}</output>
    </div>
  );
}
