/** @file What ships with the page: a small model and the demo data. */
import type { Datasets } from './datasets.ts';
import type { ModelOrigin } from './opening.ts';
import type { DatasetRole, LabEvent } from './protocol.ts';
import { ROLES } from './records.ts';
import type { FetchPublic } from './services.ts';

const MODEL_FILES = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'model.safetensors'];
const DEMO: Readonly<Record<DatasetRole, string>> = { train: 'data/demo-train.jsonl', heldOut: 'data/demo-heldout.jsonl', outOfDomain: 'data/ood.jsonl' };

/** The model of the page. @param emit told of the bytes that have come */
export async function builtInOrigin(fetchPublic: FetchPublic, emit: (event: LabEvent) => void): Promise<ModelOrigin> {
  let bytes = 0;
  const files = new Map<string, Blob>();
  for (const name of MODEL_FILES) {
    const blob = await fetchPublic(`model/${name}`);
    bytes += blob.size;
    files.set(name, blob);
    emit({ type: 'phase', phase: 'weights', done: bytes, total: bytes, unit: 'bytes' });
  }
  return { source: 'built-in', name: 'Built-in model', files };
}

export async function fetchDemo(fetchPublic: FetchPublic, role: DatasetRole): Promise<File> {
  const path = DEMO[role];
  return new File([await fetchPublic(path)], path.slice(path.lastIndexOf('/') + 1));
}

/** Puts the demo data of roles in place of what is loaded, with rows of at most `maxLength` tokens. */
export async function importDemo(fetchPublic: FetchPublic, datasets: Datasets, maxLength: number, roles: readonly DatasetRole[] = ROLES): Promise<void> {
  for (const role of roles) {
    const result = await datasets.import(role, await fetchDemo(fetchPublic, role), 'demo', maxLength);
    if ('problem' in result) throw new Error(`The demo data is damaged. ${result.problem.what}`);
  }
}
