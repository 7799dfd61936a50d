/**
 * @file Diagnostics: a run is followed every few steps, and each measurement on demand tells its cost before and its numbers after, can be cancelled, and stays
 * with its run after a reload.
 */
import { test, type Locator, type Page } from '@playwright/test';
import { expectAccessible } from './axe.ts';
import { dropSmallData, expect, openLab, openStation, patience, shortRun, showTab, status, watchFaults } from './page.ts';

test.describe.configure({ mode: 'serial', timeout: 300_000 });
test.use({ actionTimeout: 30_000, trace: { mode: 'retain-on-failure', screenshots: false } });

let page: Page;
let faults: string[];

const plate = (name: string): Locator => page.getByRole('region', { name: 'Measure more' }).locator('.probe').filter({ has: page.getByText(name, { exact: true }) });
const primary = (name: RegExp): Locator => page.getByRole('button', { name });

/** Each measurement, made as small as is worth looking at, and what its result says. */
const PROBES: readonly (readonly [name: string, items: string, cost: RegExp, finding: RegExp])[] = [
  ['Fisher alignment', '2', /^2 examples, \d+ tokens forward and backward, one example at a time, (about|under)/, /the top block holds \d+(\.\d+)?× its share by chance/],
  ['Representation drift', '4', /^4 examples, \d+ tokens forward, (about|under)/, /CKA is \d\.\d+ before the head/],
  ['Output drift', '4', /^4 examples, \d+ tokens forward, (about|under)/, /nats/],
  ['Causal restore', '4', /^8 examples, each answered by 5 sets of weights/, /putting the block back/],
];

test.beforeAll(async ({ browser, baseURL }) => {
  test.setTimeout(300_000);
  const context = await browser.newContext({ baseURL: baseURL!, viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' });
  page = await context.newPage();
  faults = watchFaults(page, baseURL);
  await openLab(page, { ...shortRun, method: 'rpsft', steps: 8 });
  await dropSmallData(page);
});

test.afterAll(() => page.context().close());

test.afterEach(() => expect(faults, 'the console stayed clean and nothing was asked of another host').toEqual([]));

test('what a run follows is chosen with its cost, and drawn by step', async () => {
  const method = await openStation(page, 'Method');
  await method.locator('summary', { hasText: 'Measuring' }).click();
  await method.getByRole('checkbox', { name: 'Follow representations' }).check({ force: true });
  await method.getByRole('checkbox', { name: 'Follow outputs' }).check({ force: true });
  await expect(method).toContainText(/2 measurements of at most 1,024 out-of-domain tokens, one pass forward each/);
  await expect(method).toContainText(/one pass forward each: (about|under) .* here/, patience);
  expect(new URL(page.url()).hash).toContain('follow=states+outputs');
  await primary(/^Start/).click();
  await expect(primary(/^Start a new run/)).toBeVisible(patience);
  for (const title of ['Representation drift', 'Output drift']) await expect(page.locator('#view-train figure').filter({ hasText: title })).toBeVisible();
  await showTab(page, 'Spectrum');
  const during = page.getByRole('region', { name: 'During the run' });
  await expect(during.getByRole('grid', { name: /Representation drift/ })).toBeVisible();
  await expect(during.getByRole('row')).not.toHaveCount(0);
});

test('a measurement can be cancelled, and nothing is changed by that', async () => {
  const fisher = plate('Fisher alignment');
  await fisher.getByLabel('Examples').fill('64');
  await fisher.getByRole('button', { name: /^Measure RPSFT/ }).click();
  await fisher.getByRole('button', { name: 'Cancel' }).click();
  await expect(fisher.getByRole('button', { name: /^Measure RPSFT/ })).toBeEnabled(patience);
  await expect(fisher).toContainText('Not measured yet.');
});

for (const [name, items, cost, finding] of PROBES) {
  test(`${name} tells its cost, measures, and shows its numbers`, async () => {
    const probe = plate(name);
    await probe.getByRole('textbox').first().fill(items);
    await expect(probe.locator('.help').last()).toHaveText(cost);
    await probe.getByRole('button', { name: /^Measure RPSFT/ }).click();
    await expect(probe.locator('.probe-finding')).toContainText(finding, patience);
    await probe.locator('figure').dispatchEvent('keydown', { key: 't', bubbles: true });
    await expect(probe.locator('.plate-table')).toBeVisible();
    await probe.locator('figure').dispatchEvent('keydown', { key: 't', bubbles: true });
  });
}

test('the measurements stay with their run, and axe finds nothing', async () => {
  await page.reload();
  await expect(status(page)).not.toContainText('Connecting', patience);
  await showTab(page, 'Spectrum');
  for (const [name, , , finding] of PROBES) await expect(plate(name).locator('.probe-finding')).toContainText(finding, patience);
  await expect(page.getByRole('region', { name: 'During the run' }).getByRole('grid', { name: /Representation drift/ })).toBeVisible();
  await expectAccessible(page, 'Spectrum with every measurement');
});
