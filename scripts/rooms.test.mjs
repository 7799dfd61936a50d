/** @file The arrows between the rooms are enforced: what is allowed passes, what points up is named, and no room can reach itself. */
import { describe, expect, it } from 'vitest';
import { faultsIn, importsOf, rooms } from './rooms.mjs';

describe('importsOf', () => {
  it('finds every form of import and knows which are types only', () => {
    const source = [
      "import './styles.css';",
      "import type { Gpu } from '../gpu/device.ts';",
      "import type from './type.ts';",
      "import {",
      "  one,",
      "  two,",
      "} from './many.ts';",
      "export * from './all.ts';",
      "export type { Shape } from './shape.ts';",
      "const lazy = await import('./lazy.ts');",
      "new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module' });",
      "const texts = import.meta.glob('../../shaders/*.wgsl');",
      "const from = 'nowhere';",
    ].join('\n');
    expect(Object.fromEntries(importsOf(source).map(({ path, isType }) => [path, isType]))).toEqual({
      './styles.css': false,
      '../gpu/device.ts': true,
      './type.ts': false,
      './many.ts': false,
      './all.ts': false,
      './shape.ts': true,
      './lazy.ts': false,
      '../worker/worker.ts': false,
      '../../shaders/*.wgsl': false,
    });
  });
});

describe('the table of rooms', () => {
  it('has no cycle: arrows point down', () => {
    const reach = (room, path = []) => {
      expect(path, `a cycle through ${room}`).not.toContain(room);
      for (const next of rooms[room] ?? []) reach(next.replace('type:', ''), [...path, room]);
    };
    reach('app');
  });

  it.each([
    ['src/graph/ops/matmul.ts', "import { Pipelines } from '../../gpu/kernel.ts';"],
    ['src/graph/ops/matmul.ts', "import text from '../../../shaders/matmul.wgsl?raw';"],
    ['src/graph/ops/matmul.test.ts', "import { testGpu } from '../../gpu/testing.ts';"],
    ['src/graph/testing.ts', "import { testGpu } from '../gpu/testing.ts';"],
    ['src/graph/ops/matmul.test.ts', "import { readFileSync } from 'node:fs';"],
    ['src/formats/peft.test.ts', "import golden from '../../reference/fixtures/peft.json';"],
    ['src/engine.ts', "export { Trainer } from './training/trainer.ts';"],
    ['src/worker/worker.ts', "import { openModel } from '../engine.ts';"],
    ['src/app/store.ts', "import type { Batch } from '../data/batch.ts';"],
    ['src/app/store.test.ts', "import { parse } from '../data/parse.ts';"],
    ['src/app/main.tsx', "import { createRoot } from 'react-dom/client';"],
  ])('lets %s say %s', (path, source) => {
    expect(faultsIn(path, source)).toEqual([]);
  });

  it.each([
    ['src/gpu/device.ts', "import { Tensor } from '../graph/graph.ts';", 'gpu may not import from graph'],
    ['src/graph/graph.ts', "import type { Trainer } from '../training/trainer.ts';", 'graph may not import from training'],
    ['src/graph/graph.test.ts', "import { Trainer } from '../training/trainer.ts';", 'graph may not import from training'],
    ['src/data/parse.ts', "import { Gpu } from '../gpu/device.ts';", 'data may not import from gpu'],
    ['src/storage/cache.ts', "import { read } from '../formats/safetensors.ts';", 'storage may not import from formats'],
    ['src/app/store.ts', "import { parse } from '../data/parse.ts';", 'app may import only types from data'],
    ['src/methods/lora.ts', "import { testGpu } from '../gpu/testing.ts';", 'only tests may use it'],
    ['src/models/llama.ts', "import golden from '../../reference/llama.json';", 'models may not import from outside src/'],
    ['src/models/llama.ts', "import { readFileSync } from 'node:fs';", 'what is in src/ runs in a browser'],
    ['src/training/trainer.ts', "import { useState } from 'react';", 'it belongs to app, not to training'],
    ['src/attic/old.ts', '', 'src/attic has no place in the table'],
  ])('refuses %s: %s', (path, source, why) => {
    expect(faultsIn(path, source)).toEqual([expect.stringContaining(why)]);
  });
});
