/** @file Build of the page, and the unit and kernel tests (Vitest) that run in Node on Dawn. */
import { readFileSync } from 'node:fs';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

/** The policy of the page's meta tag, sent as a header too: a meta tag does not bind the worker. */
const policy = /http-equiv="Content-Security-Policy"\s+content="([^"]+)"/.exec(readFileSync(new URL('index.html', import.meta.url), 'utf8'))![1]!;

export default defineConfig({
  base: './',
  plugins: [react()],
  worker: { format: 'es' },
  preview: { headers: { 'Content-Security-Policy': policy } },
  // Without a browser named, light-dark() is rewritten for old ones, and the ramps that the page reads from its tokens lose one of their themes.
  build: { target: 'es2023', cssTarget: 'chrome131', assetsInlineLimit: 0 },
  test: {
    include: ['src/**/*.test.ts', 'src/**/*.test.tsx', 'bench/**/*.test.ts', 'scripts/**/*.test.mjs'],
    environment: 'node',
    // The report holds its style sheets as text; others are of no use without a page.
    css: { include: /\.css\?raw$/ },
    // One process and one device: two software adapters on two cores only slow each other down.
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
