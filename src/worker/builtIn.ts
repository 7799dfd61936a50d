/** @file What ships with the page: a small model and the demo data. */
import type { ModelFiles } from '../engine.ts';
import type { Datasets } from './datasets.ts';
import type { DatasetRole } from './protocol.ts';
import type { FetchPublic } from './services.ts';

const MODEL_FILES = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'model.safetensors'];
const DEMO: readonly (readonly [DatasetRole, string])[] = [
  ['train', 'data/demo-train.jsonl'],
  ['heldOut', 'data/demo-heldout.jsonl'],
  ['outOfDomain', 'data/ood.jsonl'],
];

/** @param onBytes told of the bytes that have come */
export async function fetchBuiltInModel(fetchPublic: FetchPublic, onBytes: (bytes: number) => void): Promise<ModelFiles> {
  let bytes = 0;
  const entries: [string, Blob][] = [];
  for (const name of MODEL_FILES) {
    const blob = await fetchPublic(`model/${name}`);
    bytes += blob.size;
    entries.push([name, blob]);
    onBytes(bytes);
  }
  return new Map(entries);
}

/** Puts the demo data in place of what is loaded, with rows of at most `maxLength` tokens. */
export async function importDemo(fetchPublic: FetchPublic, datasets: Datasets, maxLength: number): Promise<void> {
  for (const [role, path] of DEMO) {
    const blob = await fetchPublic(path);
    const file = new File([blob], path.slice(path.lastIndexOf('/') + 1));
    const result = await datasets.import(role, file, 'demo', maxLength);
    if ('problem' in result) throw new Error(`The demo data is damaged. ${result.problem.what}`);
  }
}
