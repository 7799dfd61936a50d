/** @file Drop a file anywhere on the page: three fields appear that say what the file will be used as. */
import { useEffect, useState, type ReactElement } from 'react';
import type { DatasetRole } from '../../worker/protocol.ts';
import { roleInfos } from '../data/roles.ts';
import { importFile } from '../data/importing.ts';
import { Icon } from '../parts/Icon.tsx';
import { useLab } from '../store.ts';

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

/** The role of the field under the pointer; beside the fields it is training data. */
function roleAt(target: EventTarget | null): DatasetRole {
  const field = target instanceof Element ? target.closest<HTMLElement>('[data-role]') : null;
  return roleInfos.find(({ role }) => role === field?.dataset['role'])?.role ?? 'train';
}

/** Rendered over everything, and only while a file is being dragged. */
export function DropTarget(): ReactElement | null {
  const [over, setOver] = useState<DatasetRole>();
  const ready = useLab((state) => state.connection === 'ready');
  useEffect(() => {
    const onDrag = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      // Without this the browser would leave the page and show the file.
      event.preventDefault();
      setOver(roleAt(event.target));
    };
    const onLeave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(undefined);
    };
    const onDrop = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(undefined);
      const file = event.dataTransfer?.files[0];
      if (file !== undefined && useLab.getState().connection === 'ready') void importFile(roleAt(event.target), file);
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
        roleInfos.map(({ role, name, use }) => (
          <div key={role} className="drop-field" data-role={role} data-over={role === over}>
            <Icon name="file" className="big" />
            <b>{name}</b>
            <span>{use}</span>
          </div>
        ))
      ) : (
        <p className="drop-field">Data can be loaded once the model runs here.</p>
      )}
    </div>
  );
}
