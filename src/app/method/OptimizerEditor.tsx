/** @file Everything about a run that does not depend on the method, in four groups that open one by one. */
import type { ReactElement, ReactNode } from 'react';
import { formatCount, formatCounted, formatParameter, formatRate } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { NumberField } from '../parts/NumberField.tsx';
import { Segments } from '../parts/Segments.tsx';
import { Switch } from '../parts/Switch.tsx';
import { editConfig, useLab } from '../store.ts';
import { checkConfig, type NumberKey } from './fields.ts';
import { FollowEditor } from './FollowEditor.tsx';
import { stepsText } from './reinforce.ts';

const schedules = [
  { value: 'constant', label: 'Constant' },
  { value: 'linear', label: 'Linear' },
  { value: 'cosine', label: 'Cosine' },
] as const;

const scheduleHelp = {
  constant: 'Stays where warm-up ends. Suits penalised runs, which a falling rate starves.',
  linear: 'Falls in a straight line to 0 at the last step.',
  cosine: 'Falls slowly, fast, then slowly to 0 at the last step.',
} as const;

function Group({ title, summary, children }: { readonly title: string; readonly summary: string; readonly children: ReactNode }): ReactElement {
  return (
    <details className="more" name="optimizer">
      <summary>
        {title}
        <span>{summary}</span>
        <Icon name="chevron" className="chev" />
      </summary>
      <div className="more-body">{children}</div>
    </details>
  );
}

export function OptimizerEditor(): ReactElement {
  const config = useLab((state) => state.config);
  const contextLength = useLab((state) => state.model?.contextLength);
  const problems = checkConfig(config, contextLength);
  const numbers = (...fields: readonly NumberKey[]): readonly ReactElement[] =>
    fields.map((field) => <NumberField key={field} field={field} value={config[field]} problem={problems[field]} onChange={(value) => editConfig({ [field]: value })} />);
  return (
    <>
      <Group title="Learning rate and steps" summary={`${formatRate(config.learningRate)}, ${stepsText(config)}`}>
        {numbers('learningRate')}
        <div className="numfield">
          <div className="field">
            <span className="field-l">Schedule</span>
            <Segments legend="Schedule of the learning rate" options={schedules} value={config.schedule} onChange={(schedule) => editConfig({ schedule })} />
          </div>
          <p className="help">{scheduleHelp[config.schedule]}</p>
        </div>
        {numbers('warmupSteps', 'steps', ...(config.reinforce === undefined ? ['batchSize' as const] : []), 'maxLength', 'seed')}
      </Group>
      <Group title="Memory" summary={`${config.accumulation === 1 ? 'Whole steps' : `Steps in ${formatCount(config.accumulation)} parts`}, activations ${config.recompute ? 'recomputed' : 'kept'}`}>
        {numbers('accumulation')}
        <Switch label="Recompute activations" checked={config.recompute} onChange={(recompute) => editConfig({ recompute })} help="Holds the activations of one layer only and computes them again on the way back: less memory, steps a third slower, the same result." />
      </Group>
      <Group title="Measuring" summary={`Suites every ${formatCounted(config.evaluateEvery, 'step')}, ${config.driftEvery === 0 ? 'no spectrum' : `spectrum every ${formatCount(config.driftEvery)}`}`}>
        {numbers('evaluateEvery', 'evaluationItems', 'driftEvery')}
        <FollowEditor problem={problems.followEvery} />
      </Group>
      <Group title="Optimizer" summary={`AdamW, clip ${config.clipNorm === 0 ? 'off' : formatParameter(config.clipNorm)}, decay ${formatParameter(config.weightDecay)}`}>
        {numbers('clipNorm', 'weightDecay', 'beta1', 'beta2', 'epsilon')}
      </Group>
    </>
  );
}
