/** @file A button that opens the file chooser of the system, for one file, several, or a folder. */
import { useRef, type ReactElement, type ReactNode } from 'react';

interface Common {
  /** File name endings and types, as the `accept` attribute takes them; empty for all. */
  readonly accept: string;
  readonly className?: string;
  readonly children: ReactNode;
  readonly disabled?: boolean;
  /** Name of the hidden input, for tests and screen readers. */
  readonly label: string;
}

export type FileButtonProps = Common & ({ readonly onFile: (file: File) => void } | { readonly onFiles: (files: readonly File[]) => void; readonly multiple?: boolean; readonly folder?: boolean });

export function FileButton(props: FileButtonProps): ReactElement {
  const { accept, className = 'btn', children, disabled = false, label } = props;
  const input = useRef<HTMLInputElement>(null);
  const hasMany = 'onFiles' in props;
  return (
    <>
      <button type="button" className={className} disabled={disabled} onClick={() => input.current?.click()}>
        {children}
      </button>
      <input
        ref={(element) => {
          input.current = element;
          if (element !== null) element.webkitdirectory = hasMany && props.folder === true;
        }}
        type="file"
        hidden
        accept={accept}
        multiple={hasMany && props.multiple === true}
        aria-label={label}
        onChange={(event) => {
          const files = [...(event.target.files ?? [])];
          // So that choosing the same file again, corrected, is a change.
          event.target.value = '';
          const [first] = files;
          if (first === undefined) return;
          if (hasMany) props.onFiles(files);
          else props.onFile(first);
        }}
      />
    </>
  );
}
