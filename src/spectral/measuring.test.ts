import { expect, test } from 'vitest';
import { Slices } from './measuring.ts';

const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('slices run in turns, tell how many are done and count the time of the work alone', async () => {
  const log: string[] = [];
  const turn = async <T>(work: () => Promise<T>): Promise<T> => {
    log.push('asked');
    await wait(60);
    const result = await work();
    log.push('over');
    return result;
  };
  const slices = new Slices({ turn, onProgress: (done, total) => log.push(`${done} of ${total}`) }, 2);
  const slice = async (name: string): Promise<string> => {
    log.push(name);
    await wait(5);
    return name;
  };
  const started = performance.now();
  expect([await slices.run(() => slice('first')), await slices.run(() => slice('second'))]).toEqual(['first', 'second']);
  expect(log).toEqual(['asked', 'first', 'over', '1 of 2', 'asked', 'second', 'over', '2 of 2']);
  expect(slices.seconds).toBeGreaterThan(0.008);
  // Two waits of 60 ms for turns, less what timers are early.
  expect(slices.seconds).toBeLessThan((performance.now() - started - 110) / 1000);
});

test('a slice whose turn comes after the work was stopped does not run', async () => {
  const stop = new AbortController();
  let ran = false;
  const slices = new Slices({ signal: stop.signal, turn: (work) => wait(5).then(work) }, 1);
  const run = slices.run(async () => {
    ran = true;
  });
  stop.abort(new Error('stopped'));
  await expect(run).rejects.toThrow('stopped');
  expect(ran).toBe(false);
});
