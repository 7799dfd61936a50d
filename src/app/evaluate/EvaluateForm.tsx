/** @file What to measure, on what, and how: suite, runs, measure, items, and for generated answers how they are sampled. */
import type { ReactElement } from 'react';
import type { DatasetSummary } from '../../worker/protocol.ts';
import { runNames } from '../charts/names.ts';
import { measureInfos, measureProblem } from '../data/measures.ts';
import { roleInfos } from '../data/roles.ts';
import { formatCount } from '../format.ts';
import { ChoiceText } from '../parts/ChoiceText.tsx';
import { ColumnSwatch } from '../parts/ColumnSwatch.tsx';
import { Icon } from '../parts/Icon.tsx';
import { InlineNumber } from '../parts/InlineNumber.tsx';
import { Progress } from '../parts/Progress.tsx';
import { Segments } from '../parts/Segments.tsx';
import { selectLiveRun, useLab } from '../store.ts';
import { chosenMeasure, chosenRuns, generationFields, itemCount, itemsField, measurable, type Suite } from './form.ts';
import { cancelEvaluation, editForm, evaluate } from './session.ts';

const suites = roleInfos.flatMap(({ role, name }) => (role === 'train' ? [] : [{ value: role, label: name }]));

function Runs(): ReactElement {
  const form = useLab((state) => state.evaluation.form);
  const runs = useLab((state) => state.runs);
  const names = runNames(runs);
  const chosen = chosenRuns(form, runs);
  const there = measurable(runs);
  return (
    <fieldset className="eval-field">
      <legend>Models</legend>
      <span className="eval-column">
        <ColumnSwatch column="base" />
        Base model, always measured
      </span>
      {there.map((run) => (
        <label key={run.id} className="eval-column">
          <input
            type="checkbox"
            checked={chosen.includes(run)}
            onChange={(event) => editForm({ runs: there.filter((other) => (other === run ? event.target.checked : chosen.includes(other))).map(({ id }) => id) })}
          />
          <ColumnSwatch column={run.id} />
          {names[runs.indexOf(run)]}, step {formatCount(run.completedSteps)}
        </label>
      ))}
      {there.length === 0 ? <p className="help">Runs stand here once they have weights.</p> : null}
    </fieldset>
  );
}

function Measures({ dataset }: { readonly dataset: DatasetSummary }): ReactElement {
  const form = useLab((state) => state.evaluation.form);
  const chosen = chosenMeasure(form, dataset);
  return (
    <fieldset className="eval-field">
      <legend>Measured by</legend>
      {measureInfos.map(({ measure, name, help }) => {
        const problem = measureProblem(measure, dataset);
        return (
          <label key={measure} className={problem === undefined ? 'choice' : 'choice off'}>
            <input type="radio" name="evaluate-measure" checked={measure === chosen} disabled={problem !== undefined} onChange={() => editForm({ measure })} />
            <ChoiceText label={measure === dataset.measure ? `${name}, fits this data` : name} detail={problem ?? help} />
          </label>
        );
      })}
    </fieldset>
  );
}

function Items({ dataset }: { readonly dataset: DatasetSummary }): ReactElement {
  const form = useLab((state) => state.evaluation.form);
  return (
    <fieldset className="eval-field">
      <legend>How many</legend>
      <div className="ask-o">
        <Segments
          legend="How many items"
          options={[
            { value: 'first', label: 'The first' },
            { value: 'all', label: `All ${formatCount(dataset.rows)}` },
          ]}
          value={form.allItems ? 'all' : 'first'}
          onChange={(value) => editForm({ allItems: value === 'all' })}
        />
        {form.allItems ? null : <InlineNumber {...itemsField} value={form.items} onChange={(items) => editForm({ items })} />}
      </div>
    </fieldset>
  );
}

function Sampling({ dataset }: { readonly dataset: DatasetSummary }): ReactElement | null {
  const form = useLab((state) => state.evaluation.form);
  if (chosenMeasure(form, dataset) !== 'generation') return null;
  return (
    <fieldset className="eval-field">
      <legend>How answers are written</legend>
      <div className="ask-o">
        {generationFields.map(({ key, ...field }) => (
          <InlineNumber key={key} {...field} value={form[key]} onChange={(value) => editForm({ [key]: value })} />
        ))}
      </div>
      <p className="help">At temperature 0 the likeliest token is taken each time, and one sample says all. With more, the score is the share of right ones (avg@k).</p>
    </fieldset>
  );
}

function Start({ dataset }: { readonly dataset: DatasetSummary }): ReactElement {
  const { form, going } = useLab((state) => state.evaluation);
  const columns = useLab((state) => chosenRuns(state.evaluation.form, state.runs).length + 1);
  const live = useLab((state) => selectLiveRun(state)?.state === 'running');
  if (going !== undefined) return <Progress progress={going.progress} waiting="Evaluating" cancelling={going.cancelling} onCancel={() => void cancelEvaluation()} />;
  const items = itemCount(form, dataset);
  return (
    <div className="eval-start">
      <button type="button" className="btn primary" onClick={() => void evaluate()}>
        <Icon name="play" />
        Evaluate
      </button>
      <span className="help">
        {Number.isNaN(items) ? '' : `${formatCount(items)} ${items === 1 ? 'item' : 'items'} with ${columns === 1 ? 'the base model' : `${formatCount(columns)} models`}.`}
        {live ? ' Measured between training steps: the run slows down, it does not stop.' : ''}
      </span>
    </div>
  );
}

/** Everything before the report. */
export function EvaluateForm(): ReactElement {
  const role = useLab((state) => state.evaluation.form.role);
  const dataset = useLab((state) => state.datasets[state.evaluation.form.role]);
  const { problem, notice } = useLab((state) => state.evaluation);
  return (
    <div className="eval-form">
      <div className="eval-suite">
        <Segments legend="Suite" options={suites} value={role} onChange={(value: Suite) => editForm({ role: value })} />
        <span className="help">{dataset === undefined ? 'No data in this part.' : `${dataset.name}, ${formatCount(dataset.rows)} items. ${roleInfos.find((info) => info.role === role)?.use ?? ''}.`}</span>
      </div>
      {dataset === undefined ? null : (
        <>
          <div className="eval-fields">
            <Measures dataset={dataset} />
            <div className="eval-side">
              <Runs />
              <Items dataset={dataset} />
              <Sampling dataset={dataset} />
            </div>
          </div>
          <Start dataset={dataset} />
        </>
      )}
      {problem === undefined ? null : (
        <p className="note bad" role="alert">
          <Icon name="alert" />
          {problem}
        </p>
      )}
      {notice === undefined ? null : (
        <p className="note" role="status">
          {notice}
        </p>
      )}
    </div>
  );
}
