/** @file Drop files anywhere on the page: fields appear that say what they will be used as. What belongs to a model is opened as one wherever it is dropped. */
import { useEffect, useState, type ReactElement } from 'react';
import type { DatasetRole } from '../../worker/protocol.ts';
import { roleInfos } from '../data/roles.ts';
import { importFile } from '../data/importing.ts';
import { sentence } from '../lab.ts';
import { isModel, readDrop } from '../model/dropped.ts';
import { openFiles } from '../model/opening.ts';
import { Icon } from '../parts/Icon.tsx';
import { useLab } from '../store.ts';

/** What a field takes files for. */
type Use = DatasetRole | 'model';

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

/** The use of the field under the pointer; beside the fields it is training data. */
function placeAt(target: EventTarget | null): Use {
  const field = target instanceof Element ? target.closest<HTMLElement>('[data-role]')?.dataset['role'] : undefined;
  return field === 'model' ? field : (roleInfos.find(({ role }) => role === field)?.role ?? 'train');
}

async function receive(transfer: DataTransfer, use: Use): Promise<void> {
  try {
    const files = await readDrop(transfer);
    const [first] = files;
    if (first === undefined) return;
    if (use === 'model' || isModel(files.map(({ path }) => path))) await openFiles(files);
    else await importFile(use, first.file);
  } catch (error) {
    const message = `The browser could not read what was dropped: ${sentence(error)}`;
    useLab.setState({ station: 'model', modelProblem: { title: 'Nothing was opened', message, stillHolds: 'Model and data are as they were.', retry: undefined } });
  }
}

function Field({ use, name, detail, over }: { readonly use: Use; readonly name: string; readonly detail: string; readonly over: Use }): ReactElement {
  return (
    <div className="drop-field" data-role={use} data-over={use === over}>
      <Icon name={use === 'model' ? 'folder' : 'file'} className="big" />
      <b>{name}</b>
      <span>{detail}</span>
    </div>
  );
}

/** Rendered over everything, and only while a file is being dragged. */
export function DropTarget(): ReactElement | null {
  const [over, setOver] = useState<Use>();
  const ready = useLab((state) => state.connection === 'ready');
  useEffect(() => {
    const onDrag = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      // Without this the browser would leave the page and show the file.
      event.preventDefault();
      setOver(placeAt(event.target));
    };
    const onLeave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(undefined);
    };
    const onDrop = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(undefined);
      if (event.dataTransfer !== null && useLab.getState().connection === 'ready') void receive(event.dataTransfer, placeAt(event.target));
    };
    addEventListener('dragenter', onDrag);
    addEventListener('dragover', onDrag);
    addEventListener('dragleave', onLeave);
    addEventListener('drop', onDrop);
    return () => {
      removeEventListener('dragenter', onDrag);
      removeEventListener('dragover', onDrag);
      removeEventListener('dragleave', onLeave);
      removeEventListener('drop', onDrop);
    };
  }, []);
  if (over === undefined) return null;
  return (
    <div className="drop-over">
      {ready ? (
        <>
          {roleInfos.map(({ role, name, use }) => (
            <Field key={role} use={role} name={name} detail={use} over={over} />
          ))}
          <Field use="model" name="Model" detail="A model folder, its zip or files; an adapter or an exported run. Known as such wherever you drop it" over={over} />
        </>
      ) : (
        <p className="drop-field">Models and data can be loaded once there is a graphics adapter to run them on.</p>
      )}
    </div>
  );
}
