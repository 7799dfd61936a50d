/** @file The ways to open a model: the one of the page, one of the Hub, or files. */
import { useState, type ReactElement } from 'react';
import type { ModelSummary } from '../../worker/protocol.ts';
import { ChoiceText } from '../parts/ChoiceText.tsx';
import { FileButton } from '../parts/FileButton.tsx';
import { Icon } from '../parts/Icon.tsx';
import { selectLiveRun, useLab } from '../store.ts';
import { namedFiles } from './dropped.ts';
import { HubForm } from './HubForm.tsx';
import { openFiles, requestModel } from './opening.ts';

interface SourceInfo {
  readonly source: ModelSummary['source'];
  readonly label: string;
  readonly detail: string;
}

const sources: readonly SourceInfo[] = [
  { source: 'built-in', label: 'Built-in model', detail: 'Word problems and small skills, ready at once' },
  { source: 'hub', label: 'From the Hugging Face Hub', detail: 'By name and revision, kept in this browser' },
  { source: 'files', label: 'From files', detail: 'A model folder or its zip; an adapter or exported run goes onto the open model' },
];

function FromFiles({ busy }: { readonly busy: boolean }): ReactElement {
  const choose = (files: readonly File[]): void => void openFiles(namedFiles(files));
  return (
    <>
      <div className="acts">
        <FileButton accept="" folder label="Choose a model folder" disabled={busy} onFiles={choose}>
          <Icon name="folder" />
          Choose a folder
        </FileButton>
        <FileButton accept=".safetensors,.json,.jinja,.model,.zip,.txt" multiple label="Choose model files" disabled={busy} onFiles={choose}>
          <Icon name="file" />
          Choose files
        </FileButton>
      </div>
      <p className="help">Or drop a folder, a zip or all its files anywhere on the page: config.json, tokenizer.json and the .safetensors. They are read on this machine and sent nowhere; a copy stays in this browser for the next visit (see Kept in this browser below).</p>
    </>
  );
}

function BuiltIn({ busy }: { readonly busy: boolean }): ReactElement {
  return (
    <div className="acts">
      <button type="button" className="btn" disabled={busy} onClick={() => void requestModel({ origin: { kind: 'built-in' }, precision: 'f32' })}>
        Open the built-in model
      </button>
    </div>
  );
}

function Source({ info, chosen, onChoose }: { readonly info: SourceInfo; readonly chosen: boolean; readonly onChoose: (source: ModelSummary['source']) => void }): ReactElement {
  return (
    <label className="choice">
      <input type="radio" name="model-source" checked={chosen} onChange={() => onChoose(info.source)} />
      <ChoiceText label={info.label} detail={info.detail} />
    </label>
  );
}

export function ModelSources({ model }: { readonly model: ModelSummary }): ReactElement {
  const [chosen, setChosen] = useState<ModelSummary['source']>(model.source);
  const busy = useLab((state) => state.opening !== undefined || selectLiveRun(state) !== undefined);
  return (
    <section className="sources" aria-labelledby="sources-title">
      <h2 className="station-h" id="sources-title">
        Open another
      </h2>
      <div className="choices" role="radiogroup" aria-label="Where a model comes from">
        {sources.map((info) => (
          <div key={info.source}>
            <Source info={info} chosen={info.source === chosen} onChoose={setChosen} />
            {info.source === chosen && (chosen !== 'built-in' || model.source !== 'built-in') ? (
              <div className="params">
                {chosen === 'built-in' ? <BuiltIn busy={busy} /> : chosen === 'hub' ? <HubForm busy={busy} /> : <FromFiles busy={busy} />}
              </div>
            ) : null}
          </div>
        ))}
      </div>
      <p className="help">Downloads of models are the only requests this page makes to others. Nothing is sent: no data, no weights, no prompts.</p>
    </section>
  );
}
