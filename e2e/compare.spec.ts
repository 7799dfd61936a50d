/**
 * @file Runs compared: three methods in a queue, the page reloaded in the middle, the comparison, the difference of two heatmaps, a report and a bundle
 * saved, and the bundle opened in a fresh profile.
 */
import { readFile } from 'node:fs/promises';
import { test, type Browser, type Page } from '@playwright/test';
import { dropSmallData, expect, openLab, patience, shortRun, showTab, station, status, watchFaults } from './page.ts';

test.describe.configure({ mode: 'serial', timeout: 300_000 });
test.use({ trace: { mode: 'retain-on-failure', screenshots: false } });

const METHODS = ['SFT', 'RPSFT', 'L2-SP'];
let page: Page;
let faults: string[];
let report: string;
let bundle: string;

async function freshPage(browser: Browser, baseURL: string | undefined): Promise<Page> {
  const context = await browser.newContext({ baseURL: baseURL!, viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' });
  return context.newPage();
}

test.beforeAll(async ({ browser, baseURL }) => {
  test.setTimeout(300_000);
  page = await freshPage(browser, baseURL);
  faults = watchFaults(page, baseURL);
  await openLab(page, { ...shortRun, steps: 40, evaluateEvery: 4, driftEvery: 8 });
  await dropSmallData(page);
});

test.afterAll(() => page.context().close());

test.afterEach(() => expect(faults, 'the console stayed clean and nothing was asked of another host').toEqual([]));

test('three methods are queued, and the queue survives a reload in the middle', async () => {
  await showTab(page, 'Compare');
  const builder = page.getByRole('form', { name: 'Queue runs' });
  await builder.getByLabel('Seeds').fill('1');
  await expect(builder.locator('.queue-sum')).toContainText('3 runs');
  await builder.getByRole('button', { name: 'Add to queue' }).click();
  const items = page.getByRole('region', { name: 'Queued runs' }).getByRole('listitem');
  await expect(items).toHaveCount(3);
  await expect.poll(() => items.first().textContent(), patience).toMatch(/running, step ([5-9]|[1-3]\d)\b/);
  await page.reload();
  await expect(status(page)).not.toContainText('Connecting', patience);
  // What was dropped is there again without anybody's doing, and the queue goes on by itself.
  await expect(station(page, 'Data')).toContainText('trained.jsonl', patience);
  await showTab(page, 'Compare');
  await expect(items.first()).toContainText(/running, step ([5-9]|[1-3]\d)\b/, patience);
  await expect(page.getByText('Nothing queued')).toBeVisible(patience);
});

test('the runs are compared, and a heatmap shows the difference of two', async () => {
  const runs = page.getByRole('region', { name: 'Runs' });
  for (const method of METHODS) await expect(runs.getByRole('button', { name: new RegExp(`^${method}`) })).toBeVisible();
  await expect(page.locator('.lead-line')).toContainText(/SFT|RPSFT|L2-SP/);
  await expect(page.locator('figure').filter({ hasText: /gain|change/i }).first()).toBeVisible();
  await showTab(page, 'Spectrum');
  await expect(page.getByRole('grid')).toHaveCount(3, patience);
  await expect(page.getByRole('grid', { name: /^Vector alignment, .* − / })).toBeVisible();
});

test('a report that needs no network and a bundle are saved', async () => {
  await showTab(page, 'Compare');
  const saved = async (name: RegExp): Promise<string> => {
    const downloading = page.waitForEvent('download', patience);
    await page.getByRole('button', { name }).click();
    const download = await downloading;
    const path = test.info().outputPath(download.suggestedFilename());
    await download.saveAs(path);
    return path;
  };
  report = await saved(/^Save report/);
  const html = await readFile(report, 'utf8');
  expect(html).toContain('<svg');
  for (const method of METHODS) expect(html).toContain(method);
  expect(html.match(/(?:src|href)="(?!#|data:)[^"]*"|url\((?!["']?(?:#|data:))/g) ?? []).toEqual([]);
  bundle = await saved(/^Save ticked runs/);
});

test('the bundle opens in a fresh profile', async ({ browser, baseURL }) => {
  const other = await freshPage(browser, baseURL);
  const otherFaults = watchFaults(other, baseURL);
  await openLab(other, shortRun);
  await showTab(other, 'Compare');
  await other.getByLabel('Bundle of runs').setInputFiles(bundle);
  const runs = other.getByRole('region', { name: 'Runs' });
  for (const method of METHODS) await expect(runs.getByRole('button', { name: new RegExp(`^${method}`) })).toBeVisible(patience);
  expect(otherFaults).toEqual([]);
  await other.context().close();
});
