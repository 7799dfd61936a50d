/**
 * @file Runs a TypeScript file of this repository in Node, with Vite resolving its imports (shaders are `?raw` texts):
 * `node scripts/run.mjs bench/matmul.ts [arguments]`. The file sees its arguments as usual, from process.argv[2] on.
 */
import { resolve } from 'node:path';
import { runnerImport } from 'vite';

const [file, ...rest] = process.argv.slice(2);
if (!file) throw new Error('Usage: node scripts/run.mjs FILE.ts [arguments]');
process.argv.splice(1, process.argv.length - 1, resolve(file), ...rest);
await runnerImport(resolve(file), { configFile: false, logLevel: 'warn' });
