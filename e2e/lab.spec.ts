/**
 * @file The lab from end to end in a real browser: a file is dropped on the page, the model is trained on it with RPSFT, curves and heatmap fill, the
 * run is paused, stepped and stopped, asked and exported, and the download opens again with what the page had shown.
 */
import { readFile } from 'node:fs/promises';
import { test, type Locator, type Page } from '@playwright/test';
import { openSafetensors, readTensor } from '../src/formats/safetensors.ts';
import { unzipFiles } from '../src/formats/zip.ts';
import type { RunConfig, RunSummary } from '../src/worker/protocol.ts';
import { completedSteps, dropFile, dropSmallData, expect, openLab, openStation, patience, shortRun, showTab, station, stationBody, status, watchFaults } from './page.ts';
import { jsonLines, rows, writeFile } from './gsm8k.ts';

test.describe.configure({ mode: 'serial', timeout: 300_000 });
// A film of the page would take the cores from the adapter.
test.use({ trace: { mode: 'retain-on-failure', screenshots: false } });

/** It is stopped by hand, so that neither a slow nor a fast adapter reaches the end before the test. */
const settings: Partial<RunConfig> = { ...shortRun, method: 'rpsft', steps: 5000 };

let page: Page;
let faults: string[];

test.beforeAll(async ({ browser, baseURL }) => {
  test.setTimeout(300_000);
  const context = await browser.newContext({ baseURL: baseURL!, viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce', permissions: ['clipboard-read', 'clipboard-write'] });
  page = await context.newPage();
  faults = watchFaults(page, baseURL);
  await openLab(page, settings);
});

test.afterAll(() => page.context().close());

test.afterEach(() => expect(faults, 'the console stayed clean and nothing was asked of another host').toEqual([]));

const primary = (name: RegExp): Locator => page.locator('.rail-foot').getByRole('button', { name });
const figure = (title: string): Locator => page.locator('figure').filter({ has: page.locator('.plate-title', { hasText: new RegExp(`^${title}$`) }) });
const plot = (title: string): Locator => figure(title).getByRole('img').first();

/** The full numbers behind a figure, as its menu copies them: a row per step. */
async function copiedTable(title: string): Promise<readonly (readonly string[])[]> {
  await page.getByRole('button', { name: `Menu of ${title}` }).click();
  await page.getByRole('menuitem', { name: 'Copy as CSV' }).click();
  await expect(page.locator('.plate-said', { hasText: 'CSV copied' })).toBeAttached();
  const text = await page.evaluate(() => navigator.clipboard.readText());
  return text.trimEnd().split('\r\n').map((line) => line.split(','));
}

test('a file dropped on the page becomes the training data', async () => {
  const path = writeFile('sums.jsonl', jsonLines(rows(80)));
  await dropFile(page, path);
  await expect(station(page, 'Data')).toContainText('sums.jsonl');
  await expect(stationBody(page, 'Data')).toContainText('GSM8K');
  await expect(stationBody(page, 'Data')).toContainText('Row 1 of 80');
  await dropSmallData(page);
  await expect(stationBody(page, 'Data')).toContainText('Row 1 of 64');
});

test('RPSFT fills the curves and the heatmap while it trains', async () => {
  await primary(/^Start/).click();
  await expect(status(page)).toContainText('step', patience);
  await expect(plot('Out-of-domain accuracy')).toBeVisible();
  await expect.poll(() => completedSteps(page), patience).toBeGreaterThanOrEqual(9);
  await expect(plot('Loss')).toHaveAccessibleName(/^Loss per trained token by step, .*: latest RPSFT \d\.\d{3}/);
  await expect(plot('Penalty')).toHaveAccessibleName(/by step: \d/);
  await expect(plot('In-domain accuracy')).toHaveAccessibleName(/: latest RPSFT \d+(\.\d)?%/, patience);
  const lineLength = (title: string): Promise<number> =>
    figure(title).locator('path.recharts-curve').evaluateAll((paths) => Math.max(...paths.map((path) => (path as SVGPathElement).getTotalLength())));
  const early = await lineLength('Loss');
  expect(early).toBeGreaterThan(0);

  await showTab(page, 'Spectrum');
  const heatmap = page.getByRole('grid', { name: /^Vector alignment/ });
  const finding = page.locator('.spectrum-line');
  await expect(finding).toContainText(/^At step \d+ the mean vector alignment is /, patience);
  const cells = heatmap.locator('td[data-key]');
  // Seven matrices in each of five layers, and the embedding.
  await expect(cells).toHaveCount(36);
  await expect(cells.first()).toHaveAccessibleName(/: (0\.\d+|1\.0+)$/);
  const before = await finding.textContent();
  await expect(finding, 'the map follows the run').not.toHaveText(before!, patience);
  const colours = await cells.evaluateAll((all) => new Set(all.map((cell) => getComputedStyle(cell).backgroundColor)).size);
  expect(colours, 'matrices turn by different amounts').toBeGreaterThan(1);
  await showTab(page, 'Train');
});

test('pauses, makes one step, goes on', async () => {
  await primary(/^Pause/).click();
  await expect(primary(/^Resume/)).toBeEnabled(patience);
  await expect(status(page)).toContainText('Paused');
  const paused = await completedSteps(page);
  await primary(/^Step/).click();
  await expect.poll(() => completedSteps(page), patience).toBe(paused + 1);
  await expect(status(page)).toContainText('Paused');
  await primary(/^Resume/).click();
  await expect.poll(() => completedSteps(page), patience).toBeGreaterThan(paused + 2);
});

test('stops and keeps the run where it stands', async () => {
  const region = await openStation(page, 'Run');
  await region.getByRole('button', { name: 'Stop and keep' }).click();
  await expect(primary(/^Start a new run/)).toBeVisible(patience);
  await expect(status(page)).toContainText('Stopped');
  await expect(region.locator('.result')).toContainText(/^RPSFT: \d+ steps in .*, stopped before its 5,000 steps\.$/);
});

test('exports a zip that opens again and says what the page showed', async () => {
  const shown = await copiedTable('Loss');
  const column = shown[0]!.indexOf('RPSFT');
  const losses = new Map(shown.slice(1).flatMap((row) => (row[column] === '' ? [] : [[Number(row[0]), Number(row[column])] as const])));
  expect(losses.size).toBeGreaterThan(10);

  await showTab(page, 'Export');
  const downloading = page.waitForEvent('download', patience);
  await page.getByRole('button', { name: 'Download zip' }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe(`gimbal-rpsft-${losses.size}-steps.zip`);
  await expect(page.locator('figure', { hasText: 'Verified' })).toContainText('Largest difference of a logit on 3 prompts: 0.0, ');

  const files = await unzipFiles(new Blob([await readFile(await download.path())]), download.suggestedFilename());
  const text = (name: string): Promise<string> => files.get(`gimbal-rpsft-${losses.size}-steps/${name}`)!.text();
  const config = JSON.parse(await text('config.json')) as { readonly model_type: string; readonly hidden_size: number; readonly vocab_size: number; readonly num_hidden_layers: number };
  expect(config.model_type).toBe('llama');

  const weights = await openSafetensors(files.get(`gimbal-rpsft-${losses.size}-steps/model.safetensors`)!, 'model.safetensors');
  // Two norms and seven matrices a layer, the embedding and the last norm; the tied head is left out.
  expect(weights.tensors.size).toBe(9 * config.num_hidden_layers + 2);
  expect(weights.tensors.get('model.embed_tokens.weight')).toMatchObject({ dtype: 'F32', shape: [config.vocab_size, config.hidden_size] });
  const base = await openSafetensors(new Uint8Array(await readFile('public/model/model.safetensors')), 'the built-in model');
  let changed = 0;
  for (const [name, { shape }] of weights.tensors) {
    expect(base.tensors.get(name)?.shape, name).toEqual(shape);
    const [before, after] = [await readTensor(base, name), await readTensor(weights, name)];
    expect(after.every(Number.isFinite), name).toBe(true);
    changed += Number(after.some((value, index) => value !== before[index]));
  }
  expect(changed, 'every tensor was trained').toBe(weights.tensors.size);

  const run = JSON.parse(await text('run.json')) as RunSummary;
  expect(run).toMatchObject({ state: 'stopped', completedSteps: losses.size, dataset: 'trained.jsonl', config: { ...settings, lambda: 10, seed: 1 } });
  const metrics = (await text('metrics.jsonl')).trimEnd().split('\n').map((line) => JSON.parse(line) as { readonly type: string; readonly step: number; readonly loss?: number; readonly penalty?: number });
  const steps = metrics.filter(({ type }) => type === 'step');
  expect(new Map(steps.map(({ step, loss }) => [step, loss])), 'every loss as the page showed it').toEqual(losses);
  expect(steps.at(-1)?.penalty).toBeGreaterThan(0);
  expect(metrics.filter(({ type }) => type === 'evaluation').map(({ step }) => step)).toEqual(expect.arrayContaining([0, 4, 8, losses.size]));
});

test('base and tuned model answer side by side', async () => {
  await showTab(page, 'Playground');
  await page.getByRole('textbox', { name: 'Tokens' }).fill('8');
  await page.getByRole('textbox', { name: 'Prompt' }).fill('Ann has 21 eggs and buys 20 more. How many eggs?');
  await page.getByRole('button', { name: /^Ask both/ }).click();
  const answers = page.getByRole('article', { name: /^Answers to: Ann has 21 eggs/ });
  for (const name of ['Base model', 'RPSFT']) {
    const answer = answers.getByRole('group', { name: `Answer of ${name}` });
    await expect(answer.getByRole('button').first()).toHaveAccessibleName(/, probability [01]?\.\d+/, patience);
  }
  await expect(answers.locator('.foot', { hasText: /^\d tokens?, mean probability/ })).toHaveCount(2, patience);
  await answers.getByRole('group', { name: 'Answer of RPSFT' }).getByRole('button').first().focus();
  await expect(page.getByRole('tooltip').locator('.prow')).toHaveCount(5, patience);
});

test('a second run, with SFT, is laid over the first', async () => {
  const method = await openStation(page, 'Method');
  await method.getByRole('radio', { name: /^SFT/ }).check();
  await method.getByText('Learning rate and steps').click();
  await method.getByLabel('Steps', { exact: true }).fill('6');
  await primary(/^Start a new run/).click();
  await expect(status(page)).toContainText('Finished', patience);
  await expect(plot('Loss')).toHaveAccessibleName(/: latest (?=.*\bSFT \d)(?=.*RPSFT \d)/);
  await expect(page.getByRole('button', { name: 'Take RPSFT out of the figures' })).toBeVisible();
  await expect(plot('Out-of-domain accuracy')).toHaveAccessibleName(/RPSFT/);
  await showTab(page, 'Spectrum');
  await expect(page.getByRole('grid')).toHaveCount(3);
  await expect(page.getByRole('grid', { name: 'Vector alignment, SFT − RPSFT' })).toBeVisible();
  await showTab(page, 'Train');
  await page.getByRole('button', { name: 'Take RPSFT out of the figures' }).click();
  await expect(plot('Loss')).not.toHaveAccessibleName(/RPSFT/);
});

test('stop and discard names what goes and asks first', async () => {
  const method = await openStation(page, 'Method');
  await method.getByRole('radio', { name: /^L2-SP/ }).check();
  await method.getByText('Learning rate and steps').click();
  await method.getByLabel('Steps', { exact: true }).fill('5000');
  await primary(/^Start a new run/).click();
  await expect.poll(() => completedSteps(page), patience).toBeGreaterThan(0);
  const region = await openStation(page, 'Run');
  await region.getByRole('button', { name: 'Stop and discard' }).click();
  const question = region.getByRole('alert');
  await expect(question).toContainText(/^Discard \d+ steps?( and \d evaluations?)?\?/);
  await question.getByRole('button', { name: 'Keep the run' }).click();
  const kept = await completedSteps(page);
  await expect.poll(() => completedSteps(page), patience).toBeGreaterThan(kept);
  await region.getByRole('button', { name: 'Stop and discard' }).click();
  await question.getByRole('button', { name: 'Discard them' }).click();
  await expect(primary(/^Start a new run/)).toBeVisible(patience);
  await expect(region.locator('.run-line')).toHaveCount(2);
  await expect(region).not.toContainText('L2-SP: ');
});
