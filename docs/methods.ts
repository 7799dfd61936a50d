/** @file Writes docs/methods.md: `node scripts/run.mjs docs/methods.ts`. */
import { writeFile } from 'node:fs/promises';
import { methodsPage } from './methodsPage.ts';

await writeFile('docs/methods.md', methodsPage());
