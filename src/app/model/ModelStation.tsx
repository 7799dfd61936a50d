/** @file The Model station: what is being fine-tuned, how its matrices are kept, and the ways to open another model. */
import type { ReactElement } from 'react';
import type { ModelSummary, Precision } from '../../worker/protocol.ts';
import { formatBytes, formatCount, formatCounted } from '../format.ts';
import { Icon } from '../parts/Icon.tsx';
import { Progress } from '../parts/Progress.tsx';
import { Segments } from '../parts/Segments.tsx';
import { Spec } from '../parts/Spec.tsx';
import { selectLiveRun, useLab } from '../store.ts';
import { CacheManager } from './CacheManager.tsx';
import { ModelAlerts } from './ModelAlerts.tsx';
import { ModelSources } from './ModelSources.tsx';
import { cancelOpening, originName, requestModel } from './opening.ts';

const templates: Readonly<Record<ModelSummary['template'], string>> = { own: "the model's own", chatml: 'ChatML, it has none', plain: 'none, plain text' };

/** What is open, as a list. */
function Facts({ model }: { readonly model: ModelSummary }): ReactElement {
  const { heads, keyValueHeads, revision } = model;
  return (
    <Spec
      rows={[
        ['Architecture', model.architecture],
        ['Parameters', model.parameters.toLocaleString('en-US')],
        ['Layers × width', `${formatCount(model.layers)} × ${formatCount(model.hiddenSize)}`],
        ['Heads', heads === keyValueHeads ? formatCount(heads) : `${formatCount(heads)}, ${formatCounted(keyValueHeads, 'key-value head')}`],
        ['Vocabulary', formatCounted(model.vocabulary, 'token')],
        ['Context', formatCounted(model.contextLength, 'token')],
        ['Files', `${formatBytes(model.bytes)}, ${model.storedAs}`],
        ['Chat template', templates[model.template]],
        ...(revision === undefined ? [] : [['Revision', <code key="revision">{revision.slice(0, 12)}</code>] as const]),
      ]}
    />
  );
}

const precisions = [
  { value: 'f32', label: 'f32' },
  { value: 'bf16', label: 'bf16' },
  { value: 'f16', label: 'f16' },
] as const;

const precisionHelp: Readonly<Record<Precision, string>> = {
  f32: 'Every weight in full. bf16 and f16 keep frozen matrices, as under LoRA, at half the size; training itself is always f32.',
  bf16: 'Frozen matrices at half the size, rounded to 8 bits of precision; training itself stays f32. Exact where the files are BF16.',
  f16: 'Frozen matrices at half the size, rounded to 11 bits of precision; training itself stays f32. Exact where the files are F16.',
};

function PrecisionChoice({ model }: { readonly model: ModelSummary }): ReactElement {
  const busy = useLab((state) => state.opening !== undefined || selectLiveRun(state) !== undefined);
  return (
    <div className="numfield">
      <div className="field">
        <span className="field-l">Weights in</span>
        <Segments
          legend="How the weights are kept"
          options={precisions}
          value={model.precision}
          disabled={busy}
          onChange={(precision) => void requestModel({ origin: { kind: 'precision' }, precision })}
        />
      </div>
      <p className="help">{precisionHelp[model.precision]}</p>
    </div>
  );
}

/** The button that began it may be far below. */
const show = (element: HTMLElement | null): void => element?.scrollIntoView({ block: 'nearest' });

function OpeningProgress(): ReactElement | null {
  const opening = useLab((state) => state.opening);
  const model = useLab((state) => state.model);
  if (opening === undefined) return null;
  return (
    <div className="opening" ref={show}>
      <b className="opening-name">{originName(opening, model)}</b>
      <Progress progress={opening.progress} waiting="Opening" cancelling={opening.cancelling} onCancel={() => void cancelOpening()} />
      <p className="help">{model === undefined ? '' : `${model.name} stays open until this has succeeded.`}</p>
    </div>
  );
}

export function ModelStation(): ReactElement {
  const model = useLab((state) => state.model);
  const connection = useLab((state) => state.connection);
  const notice = useLab((state) => state.modelNotice);
  if (model === undefined) {
    return <p className="help">{connection === 'connecting' || connection === 'loading' ? 'The built-in model is being loaded.' : 'The built-in model is loaded once there is a graphics adapter to run it on.'}</p>;
  }
  const usable = connection === 'ready';
  return (
    <>
      <ModelAlerts />
      <OpeningProgress />
      {notice === undefined ? null : (
        <p className="note" role="status">
          {notice}
        </p>
      )}
      <h2 className="model-name">{model.name}</h2>
      {model.source === 'built-in' ? <p className="help">It comes with this page, small enough to fine-tune in a minute or so and large enough to forget. It answers short questions and does arithmetic.</p> : null}
      <Facts model={model} />
      {model.warnings.map((warning) => (
        <p className="note warn" key={warning}>
          <Icon name="alert" />
          {warning}
        </p>
      ))}
      {usable ? (
        <>
          <PrecisionChoice model={model} />
          <ModelSources key={model.source} model={model} />
          <CacheManager />
        </>
      ) : null}
    </>
  );
}
