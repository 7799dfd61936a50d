/** @file Where a model comes from: files of the person, a hub, the cache in this browser. */

/** A file with its place in the folder that was dropped or chosen. */
export interface NamedFile {
  readonly path: string;
  readonly file: File;
}

export interface HubRequest {
  /** Address of the hub; huggingface.co by default. */
  readonly host?: string;
  /** `owner/name`. */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
}

/** What a download would be, known before it begins. */
export interface HubInfo {
  readonly repo: string;
  readonly commit: string;
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly cachedBytes: number }[];
  readonly bytes: number;
  /** Bytes of it that lie in the cache already. */
  readonly cachedBytes: number;
  readonly storage: StorageReport;
}

/** The cache of downloaded models in this browser. */
export interface StorageReport {
  readonly models: readonly { readonly key: string; readonly repo: string; readonly commit: string; readonly bytes: number; readonly complete: boolean; readonly lastUsed: string }[];
  /** Bytes this page stores, and may store, as the browser estimates. */
  readonly usage: number;
  readonly quota: number;
}
