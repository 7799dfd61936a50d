/** @file The table of methods, where the page may read it. */
export * from '../methods/registry.ts';
