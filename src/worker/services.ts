/** @file What the worker gets from the place it runs in, a browser or Node. */
import type { Directory } from '../storage/directory.ts';

/** Fetches the files that ship with the page, by path below `public/`. */
export type FetchPublic = (path: string) => Promise<Blob>;

/** What the session stands on besides the GPU. */
export interface SessionServices {
  readonly fetchPublic: FetchPublic;
  readonly fetch: typeof globalThis.fetch;
  /** A folder that stays between visits, by name. */
  readonly openDirectory: (name: string) => Promise<Directory>;
  /** Its name and version, as runs note them. */
  readonly browser: string;
}
