/** @file What the benches and experiments share in Node: files of the repository as a model folder, and a device. */
import { openAsBlob } from 'node:fs';
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
