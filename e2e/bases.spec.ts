/**
 * @file A model is decomposed once: the singular bases of the first run are kept in this browser, the run after a reload reads them, and they can be
 * deleted while it works in them.
 */
import { test, type Locator, type Page } from '@playwright/test';
import { dropSmallData, expect, openLab, openStation, patience, shortRun, station, status, watchFaults } from './page.ts';

test.describe.configure({ mode: 'serial', timeout: 100_000 });
test.use({ trace: { mode: 'retain-on-failure', screenshots: false } });

let page: Page;
let faults: string[];

test.beforeAll(async ({ browser, baseURL }) => {
  test.setTimeout(300_000);
  const context = await browser.newContext({ baseURL: baseURL!, viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' });
  page = await context.newPage();
  faults = watchFaults(page, baseURL);
  await openLab(page, { ...shortRun, method: 'rpsft', steps: 4 });
  await dropSmallData(page);
});

test.afterAll(() => page.context().close());

test.afterEach(() => expect(faults, 'the console stayed clean and nothing was asked of another host').toEqual([]));

const primary = (name: RegExp): Locator => page.locator('.rail-foot').getByRole('button', { name });
const entry = (region: Locator): Locator => region.locator('.cache li', { hasText: /^Built-in model, k 25%/ });

test('the first run decomposes, and its bases are listed among what is kept', async () => {
  await primary(/^Start/).click();
  await expect(status(page)).toContainText('Finished', patience);
  const run = await openStation(page, 'Run');
  await expect(run).toContainText(/\d+ matrices decomposed in (under\s)?\d+\ss; worst: [\w.]+, at least (1\.0000|0\.999\d) of the exact subspace, at most \S+ of its energy missing/);
  const region = await openStation(page, 'Model');
  await region.locator('summary', { hasText: 'Kept in this browser' }).click();
  await expect(entry(region)).toContainText(/^Built-in model, k 25%singular bases, [\d.]+ [kM]B, last used /);
  await expect(region.locator('summary', { hasText: 'Kept in this browser' })).toContainText('bases of 1 model');
});

test('after a reload the next run reads them and decomposes nothing', async () => {
  const hash = new URLSearchParams(new URL(page.url()).hash.slice(1));
  hash.set('steps', '5000');
  // Another hash alone would not leave the page.
  await page.goto('about:blank');
  await page.goto(`/#${hash}`);
  await expect(primary(/^Start a new run/)).toBeEnabled(patience);
  await expect(station(page, 'Data')).toContainText('trained.jsonl');
  const run = await openStation(page, 'Run');
  await expect(run, 'it is in the record of the first run').toContainText(/\d+ matrices decomposed in (under\s)?\d+\ss/);
  await primary(/^Start a new run/).click();
  await openStation(page, 'Run');
  const phases = run.getByRole('list', { name: 'Phases' });
  await expect(phases).toContainText(/Read kept bases\d+ of \d+ matrices/, patience);
  await expect(run).toContainText(/Bases of \d+ matrices read from this browser in (under\s)?\d+\ss/, patience);
  await expect(phases).not.toContainText('Decompose matrices');
});

test('they can be deleted while a run works in them', async () => {
  const region = await openStation(page, 'Model');
  await region.locator('summary', { hasText: 'Kept in this browser' }).click();
  await region.getByRole('button', { name: /^Delete the bases of Built-in model, k 25%/ }).click();
  await region.getByRole('button', { name: /^Delete [\d.]+ [kM]B/ }).click();
  await expect(entry(region)).toHaveCount(0);
  const run = await openStation(page, 'Run');
  await expect(run.getByRole('button', { name: 'Stop and keep' })).toBeEnabled(patience);
  await run.getByRole('button', { name: 'Stop and keep' }).click();
  await expect(status(page)).toContainText(/Stopped|Finished/, patience);
  await expect(run).toContainText(/Bases of \d+ matrices read from this browser/);
});
