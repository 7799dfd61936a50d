/** @file Where training is not possible: the page says what is missing and what to do, gives the diagnostics away, and shows the recorded run. */
import { readFile } from 'node:fs/promises';
import { test, type Page } from '@playwright/test';
import { expect, openStation, showTab, station, status, watchFaults } from './page.ts';
import { recordedRun } from './recorded.ts';

/** What the engine's worker finds: a browser that never had WebGPU, or one that has it and no adapter, as where the driver is blocklisted. */
const missing = {
  webgpu: 'delete WorkerNavigator.prototype.gpu;',
  adapter: 'GPU.prototype.requestAdapter = async () => null;',
} as const;

/** Runs a line before the worker's own script, whatever adapter this machine has. */
const takeAway = (page: Page, what: keyof typeof missing): Promise<unknown> =>
  page.route(/\/assets\/worker-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: missing[what] + (await response.text()) });
  });

/** Puts a recorded run beside the page, in place of the one it ships with. */
const serveRecording = (page: Page): Promise<unknown> => page.route('**/recorded/run.json', (route) => route.fulfill({ json: recordedRun }));

test('without WebGPU the page says so, what to do, and what it found', async ({ page, context, baseURL }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const faults = watchFaults(page, baseURL);
  await takeAway(page, 'webgpu');
  await serveRecording(page);
  await page.goto('/');
  await expect(page.getByRole('heading', { name: 'This browser has no WebGPU to train with.' })).toBeVisible();
  await expect(page.getByRole('row', { name: /navigator\.gpu Missing: missing/ })).toBeVisible();
  await expect(page.getByRole('row', { name: /Adapter not known without it/ })).toBeVisible();
  await expect(page.getByRole('listitem').filter({ hasText: 'Use a current Chrome' })).toBeVisible();
  await expect(status(page)).toContainText('No WebGPU');
  await expect(page.getByRole('button', { name: 'Start' })).toBeDisabled();

  await page.getByRole('button', { name: 'Copy diagnostics' }).click();
  await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
  const report = await page.evaluate(() => navigator.clipboard.readText());
  expect(report).toMatch(/^problem: no-webgpu\n.+\nbrowser: Mozilla/);
  expect(faults).toEqual([]);
});

test('without WebGPU the recorded run fills every view that needs no engine', async ({ page, baseURL }) => {
  const faults = watchFaults(page, baseURL);
  await takeAway(page, 'webgpu');
  await serveRecording(page);
  await page.goto('/');
  await expect(page.getByText('Recorded run on Test adapter, 23 November 2026.')).toBeVisible();
  await expect(station(page, 'Model')).toContainText('Recorded model');
  await expect(station(page, 'Data')).toContainText('Demo data');
  await expect(page.getByRole('img', { name: /^In-domain accuracy by step: latest/ })).toHaveAccessibleName(/RPSFT 70\.0%.*SFT 80\.0%|SFT 80\.0%.*RPSFT 70\.0%/);
  await expect(page.getByRole('img', { name: /^Loss per trained token/ })).toHaveAccessibleName(/RPSFT \d\.\d{3}/);
  await expect(page.locator('.train-line')).toContainText(/^Gained 60\.0 points in-domain/);

  await showTab(page, 'Spectrum');
  await expect(page.locator('.spectrum-line')).toHaveText('At step 20 the mean vector alignment is 0.90 under RPSFT and 0.80 under SFT.');
  await expect(page.getByRole('grid')).toHaveCount(3);
  await showTab(page, 'Playground');
  await expect(page.getByText('Nothing to ask yet.')).toBeVisible();
  await showTab(page, 'Export');
  await expect(page.getByText('Nothing to export yet.')).toBeVisible();
  await expect(await openStation(page, 'Run')).toContainText('Training needs a graphics adapter. A recorded run and its views work without one.');
  expect(faults).toEqual([]);
});

test('without a recording the page still says what is missing', async ({ page, baseURL }) => {
  const faults = watchFaults(page, baseURL);
  await takeAway(page, 'webgpu');
  await page.route('**/recorded/run.json', async (route) => route.fulfill({ contentType: 'text/html', body: await readFile('index.html', 'utf8') }));
  await page.goto('/');
  await expect(page.getByRole('heading', { name: 'This browser has no WebGPU to train with.' })).toBeVisible();
  await expect(page.getByText('This copy of the page comes without a recorded run.')).toBeVisible();
  expect(faults).toEqual([]);
});

test('WebGPU without an adapter is told apart from no WebGPU', async ({ page, baseURL }) => {
  const faults = watchFaults(page, baseURL);
  await serveRecording(page);
  await takeAway(page, 'adapter');
  await page.goto('/');
  await expect(page.getByRole('heading', { name: 'This browser has no graphics adapter to train on.' })).toBeVisible();
  await expect(page.getByRole('row', { name: /navigator\.gpu There: present/ })).toBeVisible();
  await expect(page.getByRole('row', { name: /Adapter Missing: null from requestAdapter\(\)/ })).toBeVisible();
  await expect(status(page)).toContainText('No adapter');
  expect(faults).toEqual([]);
});
