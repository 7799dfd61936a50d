/** @file The prompt, whom to ask, and how to sample. */
import { useId, type KeyboardEvent, type ReactElement } from 'react';
import type { ModelSummary, SamplingOptions } from '../../worker/protocol.ts';
import { runNames } from '../charts/names.ts';
import { commandKey } from '../frame/keymap.ts';
import { Icon } from '../parts/Icon.tsx';
import { InlineNumber } from '../parts/InlineNumber.tsx';
import { useLab } from '../store.ts';
import type { Column } from './answers.ts';
import { askable, askPrompt, columnsOf, edit, stop, takeQuestion, toggleColumn } from './session.ts';

const renderings: Readonly<Record<ModelSummary['template'], string>> = {
  own: 'Asked through the model’s chat template, as a user’s turn.',
  chatml: 'The model has no chat template: asked as a user’s turn in ChatML, as conversations are trained.',
  plain: 'Asked as plain text with a line break after it, as prompts are trained.',
};

interface SamplingField {
  readonly key: keyof SamplingOptions;
  readonly label: string;
  readonly help: string;
  readonly least: number;
  readonly most: number;
  readonly whole: boolean;
}

const samplingFields: readonly SamplingField[] = [
  { key: 'temperature', label: 'Temperature', help: '0 takes the likeliest token each time', least: 0, most: 5, whole: false },
  { key: 'topP', label: 'Top-p', help: 'Keeps the likeliest tokens up to this share; 1 keeps all', least: 0.01, most: 1, whole: false },
  { key: 'topK', label: 'Top-k', help: 'Keeps this many of the likeliest tokens; 0 keeps all', least: 0, most: 100_000, whole: true },
  { key: 'maxNewTokens', label: 'Tokens', help: 'The answer stops here at the latest', least: 1, most: 1024, whole: true },
  { key: 'seed', label: 'Seed', help: 'Same seed, same answer', least: 0, most: 2_147_483_647, whole: true },
];

function SamplingNumber({ field }: { readonly field: SamplingField }): ReactElement {
  const sampling = useLab((state) => state.playground.sampling);
  const { key, ...info } = field;
  return <InlineNumber {...info} value={sampling[key]} onChange={(value) => (Number.isNaN(value) ? undefined : edit({ sampling: { ...sampling, [key]: value } }))} />;
}

/** Whom to ask, as ticks; only where there is a choice. */
function Columns(): ReactElement | null {
  const runs = useLab((state) => state.runs);
  const playground = useLab((state) => state.playground);
  const tuned = askable(runs);
  if (tuned.length === 0) return null;
  const names = runNames(runs);
  const chosen = columnsOf({ playground, runs });
  const all: readonly { readonly column: Column; readonly name: string }[] = [
    { column: 'base', name: 'Base model' },
    ...tuned.map((run) => ({ column: run.id, name: names[runs.indexOf(run)] ?? run.id })),
  ];
  return (
    <fieldset className="ask-o">
      <legend className="vh">Whom to ask</legend>
      {all.map(({ column, name }) => (
        <label key={column}>
          <input type="checkbox" checked={chosen.includes(column)} onChange={() => toggleColumn(column)} /> {name}
        </label>
      ))}
    </fieldset>
  );
}

/** How the prompt is written before the model reads it. */
function Rendering(): ReactElement | null {
  const template = useLab((state) => state.model?.template);
  return template === undefined ? null : <p className="help">{renderings[template]}</p>;
}

const questions = [
  ['heldOut', 'In-domain question'],
  ['outOfDomain', 'Out-of-domain question'],
] as const;

const buttonText = (columns: number): string => (columns === 1 ? 'Ask' : columns === 2 ? 'Ask both' : 'Ask all three');

export function AskForm(): ReactElement {
  const id = useId();
  const prompt = useLab((state) => state.playground.prompt);
  const asking = useLab((state) => state.playground.asking);
  const columns = useLab((state) => columnsOf(state).length);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.metaKey || event.ctrlKey)) return;
    event.preventDefault();
    void askPrompt();
  };
  return (
    <form
      className="ask"
      onSubmit={(event) => {
        event.preventDefault();
        void askPrompt();
      }}
    >
      <label className="vh" htmlFor={id}>
        Prompt
      </label>
      <textarea id={id} rows={2} placeholder="A question, as in the data" value={prompt} onChange={(event) => edit({ prompt: event.target.value, source: undefined })} onKeyDown={onKeyDown} />
      <Rendering />
      <div className="ask-r">
        {asking ? (
          <button type="button" className="btn" onClick={stop}>
            <Icon name="stop" />
            Stop
          </button>
        ) : (
          <button type="submit" className="btn primary" disabled={prompt.trim() === ''}>
            <Icon name="play" />
            {buttonText(columns)}
            <kbd>{commandKey}↵</kbd>
          </button>
        )}
        {questions.map(([role, name]) => (
          <button key={role} type="button" className="btn" title="Takes a row of the data at random" onClick={() => void takeQuestion(role)}>
            {name}
          </button>
        ))}
        <Columns />
      </div>
      <div className="ask-o">
        {samplingFields.map((field) => (
          <SamplingNumber key={field.key} field={field} />
        ))}
      </div>
    </form>
  );
}
