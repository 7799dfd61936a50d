/**
 * @file GRPO from end to end in a real browser: a short supervised run, answers sampled and rewarded from its weights, the page left in the middle and
 * the run taken up again from its checkpoint, its measurements exported; and data that it can learn nothing from.
 */
import { readFile } from 'node:fs/promises';
import { test, type Locator, type Page } from '@playwright/test';
import { unzipFiles } from '../src/formats/zip.ts';
import type { RunConfig } from '../src/worker/protocol.ts';
import { completedSteps, dropFile, expect, openLab, openStation, patience, showTab, station, stationBody, status, watchFaults } from './page.ts';
import { jsonLines, rows, writeFile } from './gsm8k.ts';

test.describe.configure({ mode: 'serial', timeout: 300_000 });
test.use({ trace: { mode: 'retain-on-failure', screenshots: false } });

/** After a few steps the model answers either way, so that groups of answers differ in reward. */
const supervised: Partial<RunConfig> = {
  method: 'sft', learningRate: 3e-3, warmupSteps: 0, steps: 8, batchSize: 4, maxLength: 40, evaluateEvery: 50, driftEvery: 0, evaluationItems: 10,
};

let page: Page;
let faults: string[];

const figure = (title: string): Locator => page.locator('figure').filter({ has: page.locator('.plate-title', { hasText: new RegExp(`^${title}$`) }) });
const plot = (title: string): Locator => figure(title).getByRole('img').first();
const primary = (name: RegExp): Locator => page.locator('.rail-foot').getByRole('button', { name });

async function dropData(): Promise<void> {
  await dropFile(page, writeFile('one-or-two.jsonl', jsonLines(['1', '2', '1', '2'].map((answer) => ({ question: 'One or two?', answer: `#### ${answer}` })))), 'train');
  await expect(station(page, 'Data')).toContainText('one-or-two.jsonl');
  await dropFile(page, writeFile('measured.jsonl', jsonLines(['1', '2'].map((answer) => ({ question: 'Two or one?', answer: `#### ${answer}` })))), 'heldOut');
  await expect(page.locator('.drop[data-role="heldOut"]')).toContainText('2 items');
  await dropFile(page, writeFile('elsewhere.jsonl', jsonLines(rows(4, 76))), 'outOfDomain');
  await expect(page.locator('.drop[data-role="outOfDomain"]')).toContainText('4 items');
}

test.beforeAll(async ({ browser, baseURL }) => {
  test.setTimeout(300_000);
  const context = await browser.newContext({ baseURL: baseURL!, viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' });
  page = await context.newPage();
  faults = watchFaults(page, baseURL);
  await openLab(page, supervised);
  await dropData();
});

test.afterAll(() => page.context().close());

test.afterEach(() => expect(faults, 'the console stayed clean and nothing was asked of another host').toEqual([]));

test('a supervised run is what GRPO starts from, with its memory and time known before', async () => {
  await primary(/^Start/).click();
  await expect(primary(/^Start a new run/)).toBeVisible(patience);
  const run = await openStation(page, 'Run');
  await run.getByRole('button', { name: 'Reinforce from this run (GRPO)' }).click();
  const method = stationBody(page, 'Method');
  await expect(method.getByRole('heading', { name: 'GRPO from SFT' })).toBeVisible();
  await method.getByLabel('Longest answer').fill('40');
  await expect(method).toContainText('Leaves no room for a question in a row of 40 tokens');
  const settings = { 'Longest answer': '8', 'Questions a step': '2', 'Answers each': '4' };
  for (const [label, value] of Object.entries(settings)) await method.getByLabel(label).fill(value);
  await method.locator('summary', { hasText: 'Learning rate and steps' }).click();
  await method.getByLabel('Warm-up steps').fill('0');
  await method.getByLabel('Steps', { exact: true }).fill('3');
  await method.locator('summary', { hasText: 'Measuring' }).click();
  await method.getByLabel('Spectrum every').fill('0');
  expect(new URL(page.url()).hash).toMatch(/grpo=on.*prompts=2.*samples=4.*maxNewTokens=8/);
  await openStation(page, 'Run');
  await expect(run).toContainText('Keys and values of sampling');
  await expect(run).toContainText(/3 steps of 8 answers, (about|under) .* from a part of a step\. That is 1\.5 times through the questions\./, patience);
});

test('answers are sampled and rewarded, and the run goes on after the page was left', async () => {
  await primary(/^Start/).click();
  await expect(primary(/^Pause/)).toBeEnabled(patience);
  await primary(/^Pause/).click();
  await expect(primary(/^Resume/)).toBeEnabled(patience);
  while ((await completedSteps(page)) < 2) {
    const before = await completedSteps(page);
    await primary(/^Step/).click();
    await expect.poll(() => completedSteps(page), patience).toBe(before + 1);
  }
  for (const title of ['Reward', 'Groups that teach', 'Cut off']) await expect(plot(title)).toHaveAccessibleName(new RegExp(`^${title} by step: \\d+(\\.\\d)?%$`));
  await expect(plot('Answer length')).toHaveAccessibleName(/by step: \d\.\d$/);
  await expect(plot('Entropy')).toHaveAccessibleName(/by step: \d\.\d{3}$/);
  const answers = figure('Sampled answers');
  await expect(answers).toContainText(/step \d, 4 answers to one question/);
  await expect(answers).toContainText(/One or two\? Right: [12]/);
  await expect(answers.getByRole('listitem')).toHaveCount(4);
  await expect(answers.getByRole('listitem').first()).toContainText(/right|wrong/);

  await page.reload();
  await expect(status(page)).not.toContainText('Connecting', patience);
  await openStation(page, 'Data');
  await dropData();
  await showTab(page, 'Compare');
  await page.getByRole('button', { name: /^More of GRPO from SFT/ }).click();
  await page.getByRole('button', { name: /^Go on from step [12]$/ }).click();
  await expect(primary(/^Start a new run/)).toBeVisible(patience);
  await showTab(page, 'Train');
  await expect(page.locator('.train-line')).toContainText('Since its start:');
  await expect(plot('Reward')).toHaveAccessibleName(/^Reward by step: \d+(\.\d)?%$/);
  await expect(page.locator('.train-detail')).toContainText('GRPO from SFT after 3 steps, against the run it starts from.');
});

test('its measurements are exported', async () => {
  await showTab(page, 'Export');
  const downloading = page.waitForEvent('download', patience);
  await page.getByRole('button', { name: 'Download zip' }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe('gimbal-grpo-sft-3-steps.zip');
  const files = await unzipFiles(new Blob([await readFile(await download.path())]), download.suggestedFilename());
  const lines = (await files.get('gimbal-grpo-sft-3-steps/metrics.jsonl')!.text()).trimEnd().split('\n').map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  const steps = lines.filter(({ type }) => type === 'step');
  expect(steps.map(({ step }) => step)).toEqual([1, 2, 3]);
  for (const step of steps) {
    for (const key of ['reward', 'mixedGroups', 'answerTokens', 'ended', 'entropy', 'clipShare']) expect(typeof step[key], key).toBe('number');
  }
  expect(lines.filter(({ type }) => type === 'start'), 'where it starts, beside the base model').toHaveLength(1);
  expect((await files.get('gimbal-grpo-sft-3-steps/metrics.csv')!.text()).split('\n')[0]).toContain('train/reward');
});

test('says why data without answers teaches nothing', async () => {
  await openStation(page, 'Data');
  await dropFile(page, writeFile('talk.jsonl', jsonLines([{ prompt: 'Say something.', completion: 'Something.' }])), 'train');
  await expect(station(page, 'Data')).toContainText('talk.jsonl');
  const run = await openStation(page, 'Run');
  await run.getByRole('button', { name: 'Reinforce from this run (GRPO)' }).click();
  await openStation(page, 'Run');
  await expect(run).toContainText('No row of talk.jsonl has a gold answer, and GRPO rewards answers that agree with one.');
  await expect(primary(/^Start/)).toBeDisabled();
});
