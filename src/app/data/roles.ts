/** @file The three datasets of a run in words. */
import type { DatasetRole } from '../../worker/protocol.ts';

export interface RoleInfo {
  readonly role: DatasetRole;
  readonly name: string;
  /** What a file in this role is used for. */
  readonly use: string;
  /** The same where there is little room. */
  readonly purpose: string;
}

export const roleInfos: readonly RoleInfo[] = [
  { role: 'train', name: 'Training', use: 'The rows the model learns from', purpose: 'learnt' },
  { role: 'heldOut', name: 'Held-out', use: 'Same task, never trained: measures what is gained in-domain', purpose: 'in-domain: what is gained' },
  { role: 'outOfDomain', name: 'Out-of-domain', use: 'Other tasks: measures what is forgotten', purpose: 'what is forgotten' },
];

const names = new Map(roleInfos.map(({ role, name }) => [role, name]));

export const roleName = (role: DatasetRole): string => names.get(role) ?? role;

/** Files that can be read, for the file chooser; .gz stands for each of the others packed. */
export const acceptedFiles = '.jsonl,.ndjson,.json,.csv,.tsv,.txt,.parquet,.gz,application/json,text/csv,text/plain';
