/** @file The Model station: what is being fine-tuned. This version has one model, which comes with the page. */
import type { ReactElement } from 'react';
import { formatBytes, formatCount, formatCounted } from '../format.ts';
import { Spec } from '../parts/Spec.tsx';
import { useLab } from '../store.ts';

export function ModelStation(): ReactElement {
  const model = useLab((state) => state.model);
  const connection = useLab((state) => state.connection);
  if (model === undefined) {
    return <p className="help">{connection === 'connecting' || connection === 'loading' ? 'The built-in model is being loaded.' : 'The built-in model is loaded once there is a graphics adapter to run it on.'}</p>;
  }
  const { heads, keyValueHeads } = model;
  return (
    <>
      <p className="help">It comes with this page, small enough to fine-tune in a minute or so and large enough to forget. It answers short questions and does arithmetic.</p>
      <Spec
        rows={[
          ['Family', model.architecture],
          ['Parameters', model.parameters.toLocaleString('en-US')],
          ['Layers × width', `${formatCount(model.layers)} × ${formatCount(model.hiddenSize)}`],
          ['Heads', heads === keyValueHeads ? formatCount(heads) : `${formatCount(heads)}, ${formatCounted(keyValueHeads, 'key-value head')}`],
          ['Vocabulary', formatCounted(model.vocabulary, 'token')],
          ['Context', formatCounted(model.contextLength, 'token')],
          ['Size', formatBytes(model.bytes)],
        ]}
      />
    </>
  );
}
