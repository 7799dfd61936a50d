/** @file Datasets in and out: files, the demo data, mappings, and rows to look at. A dataset that cannot be used never replaces one that can. */
import type { DatasetColumns } from '../../data/mapping.ts';
import type { DatasetRole, DatasetSummary, ImportResult, PreviewRow } from '../../worker/protocol.ts';
import { lab, sentence } from '../lab.ts';
import { checkConfig } from '../method/fields.ts';
import { useLab } from '../store.ts';

const { setState: set, getState: get } = useLab;

export const byRole = (datasets: readonly DatasetSummary[]): Partial<Record<DatasetRole, DatasetSummary>> =>
  Object.fromEntries(datasets.map((dataset) => [dataset.role, dataset]));

/** What an import needs for trying again, and for the words of what went wrong. */
interface Attempt {
  readonly role: DatasetRole;
  /** Undefined where a dataset is read again with other columns. */
  readonly file: File | undefined;
  readonly skipRows: readonly number[];
  readonly stillHolds: string;
}

/** Counts imports, so that one which was cancelled for the next is not heard any more. */
let imports = 0;

/** "The demo data is still loaded.": what is there when an import has ended without a dataset. */
function kept(role: DatasetRole): string {
  const dataset = get().datasets[role];
  return dataset === undefined ? 'No data is loaded for this part.' : `${dataset.origin === 'demo' ? 'The demo data' : dataset.name} is still loaded.`;
}

/** True when a dataset came of it. All datasets are taken anew: the rows that they share have changed with the one. */
async function take({ role, file, skipRows, stillHolds }: Attempt, name: string, request: () => Promise<ImportResult>): Promise<boolean> {
  const own = ++imports;
  if (get().importing !== undefined) await lab().cancelImport();
  set({ importing: { role, file: name, progress: undefined, cancelling: false }, importNotice: undefined });
  const refuse = (problem: NonNullable<ReturnType<typeof get>['fileProblem']>['problem']): false => {
    set({ fileProblem: { role, problem, file, skipRows }, station: 'data' });
    return false;
  };
  try {
    const result = await request();
    if (own !== imports) return false;
    if ('problem' in result) return refuse(result.problem);
    set({ datasets: byRole(result.datasets), fileProblem: undefined });
    return true;
  } catch (error) {
    if (own !== imports) return false;
    if (get().importing?.cancelling !== true) return refuse({ file: name, what: sentence(error), stillHolds, canSkip: false });
    set({ importNotice: `Cancelled: ${file === undefined ? 'the mapping is as it was' : `${name} was not loaded`}. ${kept(role)}` });
    return false;
  } finally {
    if (own === imports) set({ importing: undefined });
  }
}

/** Reads a file; on a problem the dataset that was loaded before stays. A file that is still being read gives way. */
export async function importFile(role: DatasetRole, file: File, skipRows: readonly number[] = []): Promise<void> {
  set({ station: 'data' });
  await take({ role, file, skipRows, stillHolds: 'The data that was loaded before is still there.' }, file.name, () => lab().importFile(role, file, skipRows));
}

/** Ends the import that is going on. */
export async function cancelImport(): Promise<void> {
  set(({ importing }) => ({ importing: importing && { ...importing, cancelling: true } }));
  await lab().cancelImport();
}

/** Goes back to the demo data in all roles. */
export async function restoreDemoData(): Promise<void> {
  const datasets = await lab().useDemoData();
  set({ datasets: byRole(datasets), fileProblem: undefined, importNotice: undefined });
}

/** Uses other columns of a dataset; false when that was refused. */
export function changeMapping(role: DatasetRole, mapping: DatasetColumns): Promise<boolean> {
  const { datasets, config } = get();
  return take({ role, file: undefined, skipRows: [], stillHolds: 'The mapping is as it was before.' }, datasets[role]?.name ?? '', () => lab().setMapping(role, mapping, config.maxLength));
}

/** Rows of a dataset as the model sees them, the first being row 1. */
export const previewRows = (role: DatasetRole, from: number, count: number, maxLength: number): Promise<readonly PreviewRow[]> =>
  lab().preview(role, from, count, maxLength);

/** Counts the datasets again for another longest row. */
export async function recount(): Promise<void> {
  const { datasets, config, model } = get();
  if (checkConfig(config, model?.contextLength).maxLength !== undefined) return;
  for (const { role, mapping } of Object.values(datasets)) {
    // A file that somebody has chosen meanwhile goes first, and nothing of this is worth ending it for.
    if (get().importing !== undefined) return;
    await changeMapping(role, mapping);
  }
}
