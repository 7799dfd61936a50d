/** @file A button that opens the file chooser of the system. */
import { useRef, type ReactElement, type ReactNode } from 'react';

export interface FileButtonProps {
  /** File name endings and types, as the `accept` attribute takes them. */
  readonly accept: string;
  readonly onFile: (file: File) => void;
  readonly className?: string;
  readonly children: ReactNode;
  /** Name of the hidden input, for tests and screen readers. */
  readonly label: string;
}

export function FileButton({ accept, onFile, className = 'btn', children, label }: FileButtonProps): ReactElement {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" className={className} onClick={() => input.current?.click()}>
        {children}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        accept={accept}
        aria-label={label}
        onChange={(event) => {
          const file = event.target.files?.[0];
          // So that choosing the same file again, corrected, is a change.
          event.target.value = '';
          if (file !== undefined) onFile(file);
        }}
      />
    </>
  );
}
