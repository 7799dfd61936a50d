/** @file What the benches and experiments share in Node: files of the repository as a model folder, and a device. */
import { openAsBlob, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ModelFiles } from '../src/engine.ts';

export const repository = resolve(import.meta.dirname, '..');

/** The files of a folder on disk, read when they are needed. */
export async function folderFiles(folder: string): Promise<ModelFiles> {
  const names = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile()).map(({ name }) => name);
  return new Map(await Promise.all(names.map(async (name) => [name, await openAsBlob(join(folder, name))] as const)));
}

/** `--name=value` from the command line. */
export const option = (name: string, fallback: string): string => process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3) ?? fallback;

/**
 * Bytes of device memory that have been written to, measured from outside the engine: on Mesa's lavapipe under Linux, where the
 * device's memory is a file mapped by this process. Undefined elsewhere.
 */
export function touchedDeviceBytes(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const mappings = readFileSync('/proc/self/smaps', 'utf8').matchAll(/^[0-9a-f]+-[0-9a-f]+ .*memfd:allocation fd.*\n(?:.*\n)*?Rss:\s+(\d+) kB$/gm);
  const bytes = [...mappings].reduce((sum, [, kilobytes]) => sum + 1024 * Number(kilobytes), 0);
  return bytes > 0 ? bytes : undefined;
}
