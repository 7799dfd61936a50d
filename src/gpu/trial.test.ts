/** @file The trial allocation against a limit that was set, a buffer that is too large, and a device that has enough. */
import { expect, it } from 'vitest';
import { BufferPool, totalBytes, type BufferFacts } from './buffers.ts';
import { testContext } from './testing.ts';
import { trialAllocate } from './trial.ts';

const MB = 2 ** 20;
const planned = (count: number, size: number): BufferFacts[] => Array.from({ length: count }, (_, i) => ({ label: `tensor ${i}`, category: 'activations', size }));

it('says what fits, where it stopped and why, and leaves nothing behind', async () => {
  const context = await testContext();
  const limited = { ...context, gpu: { ...context.gpu, memoryLimit: 100 * MB } };
  const within = { ...limited, pool: new BufferPool(limited.gpu) };
  within.pool.storage(20 * MB, 'pretrained', 'what is held');
  expect(await trialAllocate(within, planned(5, 16 * MB))).toEqual({ fits: true });
  // 64 MB are asked for at once; the sixth buffer comes in the second round.
  expect(await trialAllocate(within, planned(6, 16 * MB))).toEqual({ fits: false, stoppedAt: 64 * MB, message: `tensor 5 needs ${16 * MB} bytes beside the ${100 * MB} that are held; the limit that was set is ${100 * MB}.` });
  expect(totalBytes(within.pool.bytes)).toBe(20 * MB);
  within.pool.destroyAll();

  const { largest } = context.pool;
  expect(await trialAllocate(context, [...planned(1, MB), { label: 'the head', category: 'weights', size: largest + 16 }])).toMatchObject({ fits: false, stoppedAt: 0, message: `the head needs ${largest + 16} bytes in one buffer; this adapter allows ${largest}.` });
  context.gpu.assertHealthy();
});
