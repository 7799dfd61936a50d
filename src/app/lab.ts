/** @file The engine that the page has started, for those who ask it for something. */
import type { LabApi } from '../worker/protocol.ts';

let engine: LabApi | undefined;

/** From now on requests go to this engine. */
export const setEngine = (started: LabApi): void => {
  engine = started;
};

/** The engine; connectLab has started it before anything on the page can be clicked. */
export function lab(): LabApi {
  if (engine === undefined) throw new Error('The engine has not been started.');
  return engine;
}

/** An error as a sentence for a person: the worker words them so already. */
export const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));
