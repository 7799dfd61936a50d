/** @file The dedicated worker's entry: the session behind comlink. */
import * as Comlink from 'comlink';
import { openOpfsDirectory } from '../storage/directory.ts';
import { Session } from './session.ts';

/** The page hands its own address over as the worker's name: the script itself lies elsewhere, and elsewhere again in development. */
const page = self.name;

const fetchPublic = async (path: string): Promise<Blob> => {
  const response = await fetch(new URL(path, page));
  if (!response.ok) throw new Error(`${path} could not be loaded: the server answered ${response.status}.`);
  return response.blob();
};

Comlink.expose(new Session(navigator.gpu, { fetchPublic, fetch: (...request) => fetch(...request), openDirectory: (name) => openOpfsDirectory(name), browser: navigator.userAgent }));
