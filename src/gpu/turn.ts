/** @file How long work shares the GPU with a run: it goes in slices, and between them others get their turns. */

/** Runs one slice of GPU work, so that others get their turns between slices; throws to end the work. */
export type Turn = <T>(work: () => Promise<T>) => Promise<T>;
