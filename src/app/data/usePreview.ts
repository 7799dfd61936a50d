/** @file Rows of a dataset as the model sees them, fetched from the worker. */
import { useEffect, useState } from 'react';
import type { DatasetRole, PreviewRow } from '../../worker/protocol.ts';
import { previewRows } from './importing.ts';
import { sentence } from '../lab.ts';
import { useLab } from '../store.ts';

export interface Preview {
  /** The last rows that arrived: they stay while the next ones are fetched. */
  readonly rows: readonly PreviewRow[];
  readonly problem: string | undefined;
}

/** `count` rows after the first `from`, again whenever the dataset, its mapping or the longest row changes. */
export function usePreview(role: DatasetRole, from: number, count: number): Preview {
  const dataset = useLab((state) => state.datasets[role]);
  const maxLength = useLab((state) => state.config.maxLength);
  const [preview, setPreview] = useState<Preview>({ rows: [], problem: undefined });
  useEffect(() => {
    if (dataset === undefined || !Number.isInteger(maxLength) || maxLength < 1) return undefined;
    let current = true;
    previewRows(role, from + 1, count, maxLength).then(
      (rows) => {
        if (current) setPreview({ rows, problem: undefined });
      },
      (error: unknown) => {
        if (current) setPreview({ rows: [], problem: sentence(error) });
      },
    );
    return () => {
      current = false;
    };
  }, [role, from, count, dataset, maxLength]);
  return preview;
}
