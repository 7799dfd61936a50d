/** @file The page stays responsive while the model trains: no task of its main thread computes for longer than 50 ms. */
import { test, type Browser, type Page } from '@playwright/test';
import { completedSteps, dropSmallData, expect, openLab, patience, shortRun } from './page.ts';

test.use({ trace: 'off' });

const seconds = 8;
const longest = 50;

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds: begin, length, and processor time of the thread. */
  readonly ts: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args: { readonly name?: string; readonly data?: { readonly frames?: readonly { readonly url: string; readonly processId: number }[] } };
}

/** Processor milliseconds of every task of the page's main thread while `work` goes on. */
async function mainThreadTasks(browser: Browser, page: Page, work: () => Promise<void>): Promise<readonly { readonly processor: number; readonly wall: number }[]> {
  await browser.startTracing(page, { categories: ['toplevel', 'disabled-by-default-devtools.timeline', 'devtools.timeline', '__metadata'] });
  await work();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString('utf8')) as { readonly traceEvents: readonly TraceEvent[] };
  const mains = new Set(traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(({ pid, tid }) => `${pid}/${tid}`));
  return traceEvents
    .filter(({ name, ph, pid, tid }) => name.endsWith('RunTask') && ph === 'X' && mains.has(`${pid}/${tid}`))
    .map(({ dur = 0, tdur = 0 }) => ({ processor: tdur / 1000, wall: dur / 1000 }));
}

test('no task of the page computes for more than 50 ms while the model trains', async ({ page, browser }) => {
  test.setTimeout(600_000);
  await openLab(page, { ...shortRun, steps: 5000, evaluationItems: 12 });
  await dropSmallData(page);
  await page.keyboard.press('ControlOrMeta+Enter');
  await expect.poll(() => completedSteps(page), patience).toBeGreaterThan(1);

  const before = await completedSteps(page);
  const tasks = await mainThreadTasks(browser, page, async () => {
    await page.evaluate(() => {
      const seen: number[] = [];
      new PerformanceObserver((list) => seen.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
      Object.assign(window, { longTasks: seen });
    });
    await expect.poll(() => completedSteps(page), { ...patience, intervals: [seconds * 1000] }).toBeGreaterThan(before);
  });
  const observed = await page.evaluate(() => (window as unknown as { readonly longTasks: readonly number[] }).longTasks);

  const by = (key: 'processor' | 'wall'): number => Math.max(...tasks.map((task) => task[key]));
  test.info().annotations.push({ type: 'main thread', description: `${tasks.length} tasks, longest ${by('processor').toFixed(1)} ms of processor time, ${by('wall').toFixed(1)} ms on the clock; ${observed.length} long tasks observed: ${observed.map(Math.round).join(', ')} ms` });
  // The software adapter computes on the cores that the page runs on, so a task can be long on the clock because it had to wait for a core, which says nothing
  // about the page. What the page is to blame for is the time a task computes: that is what the browser's trace counts for the thread.
  expect(tasks.length, 'the page was at work').toBeGreaterThan(20);
  expect(by('processor')).toBeGreaterThan(0);
  expect(tasks.filter(({ processor }) => processor > longest)).toEqual([]);
});
