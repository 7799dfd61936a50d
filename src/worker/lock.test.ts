import { describe, expect, it } from 'vitest';
import { Lock } from './lock.ts';

describe('Lock', () => {
  it('runs one piece of work at a time, in the order asked, also after a failure', async () => {
    const lock = new Lock();
    const log: string[] = [];
    const work = (name: string, fails = false) => async () => {
      log.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      log.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    };
    const results = await Promise.allSettled([lock.run(work('a')), lock.run(work('b', true)), lock.run(work('c'))]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });
});
