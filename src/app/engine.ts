/** @file Starts the engine's worker. Alone in its file so that tests can put another engine in its place. */
import { wrap } from 'comlink';
import type { LabApi } from '../worker/protocol.ts';

/** Starts the worker, which loads the built-in model from beside the page whose address it is given as its name; `onFailure` is told when its script could not be loaded or threw before it could answer. */
export function startEngine(onFailure: (message: string) => void): LabApi {
  // Downloaded models and kept runs are not to be cleared when the disk fills. Only a page may ask, and the browser may decline.
  void (navigator.storage as StorageManager | undefined)?.persist().catch(() => false);
  const worker = new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module', name: document.baseURI });
  worker.addEventListener('error', (event) => onFailure(event.message || 'The script of the engine could not be loaded.'));
  return wrap<LabApi>(worker);
}
