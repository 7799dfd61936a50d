/** @file The dedicated worker's entry: the session behind comlink. */
import * as Comlink from 'comlink';
import { Session } from './session.ts';

const fetchPublic = async (path: string): Promise<Blob> => {
  const response = await fetch(new URL(`../${path}`, self.location.href));
  if (!response.ok) throw new Error(`${path} could not be loaded: the server answered ${response.status}.`);
  return response.blob();
};

Comlink.expose(new Session(navigator.gpu, fetchPublic));
