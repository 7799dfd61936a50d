/** @file Datasets in and out: files, the demo data, mappings, and rows to look at. A dataset that cannot be used never replaces one that can. */
import type { DatasetColumns } from '../../data/mapping.ts';
import type { DatasetRole, DatasetSummary, ImportResult, PreviewRow } from '../../worker/protocol.ts';
import { lab, sentence } from '../lab.ts';
import { checkConfig } from '../method/fields.ts';
import { useLab } from '../store.ts';

const { setState: set, getState: get } = useLab;

export const byRole = (datasets: readonly DatasetSummary[]): Partial<Record<DatasetRole, DatasetSummary>> =>
  Object.fromEntries(datasets.map((dataset) => [dataset.role, dataset]));

function acceptImport(role: DatasetRole, result: ImportResult, file: File | undefined, skipRows: readonly number[]): void {
  if ('problem' in result) {
    set({ fileProblem: { role, problem: result.problem, file, skipRows }, station: 'data' });
  } else {
    set(({ datasets }) => ({ datasets: { ...datasets, [role]: result.dataset }, fileProblem: undefined }));
  }
}

/** Reads a file; on a problem the dataset that was loaded before stays. */
export async function importFile(role: DatasetRole, file: File, skipRows: readonly number[] = []): Promise<void> {
  set({ importing: role, station: 'data' });
  try {
    acceptImport(role, await lab().importFile(role, file, skipRows), file, skipRows);
  } catch (error) {
    const problem = { file: file.name, what: sentence(error), stillHolds: 'The data that was loaded before is still there.', canSkip: false };
    set({ fileProblem: { role, problem, file, skipRows }, station: 'data' });
  } finally {
    set({ importing: undefined });
  }
}

/** Goes back to the demo data in all roles. */
export async function restoreDemoData(): Promise<void> {
  const datasets = await lab().useDemoData();
  set({ datasets: byRole(datasets), fileProblem: undefined });
}

/** Uses other columns of a dataset. */
export async function changeMapping(role: DatasetRole, mapping: DatasetColumns): Promise<void> {
  try {
    acceptImport(role, await lab().setMapping(role, mapping, get().config.maxLength), undefined, []);
  } catch (error) {
    const problem = { file: get().datasets[role]?.name ?? '', what: sentence(error), stillHolds: 'The mapping is as it was before.', canSkip: false };
    set({ fileProblem: { role, problem, file: undefined, skipRows: [] }, station: 'data' });
  }
}

/** Rows of a dataset as the model sees them, the first being row 1. */
export const previewRows = (role: DatasetRole, from: number, count: number, maxLength: number): Promise<readonly PreviewRow[]> =>
  lab().preview(role, from, count, maxLength);

/** Counts the datasets again for another longest row. */
export async function recount(): Promise<void> {
  const { datasets, config, model } = get();
  if (checkConfig(config, model?.contextLength).maxLength !== undefined) return;
  for (const { role, mapping } of Object.values(datasets)) await changeMapping(role, mapping);
}
