/** @file Files of one's own: the forms that are understood, what the page shows of them, and what it says of a file it cannot use. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { test, type Locator, type Page } from '@playwright/test';
import { expectAccessible } from './axe.ts';
import { jsonLines, rows, writeFile } from './gsm8k.ts';
import { dropFile, expect, isCrowded, openLab, openStation, patience, report, station, stationBody, status, watchFaults } from './page.ts';

test.describe.configure({ timeout: 300_000 });
// A film of the page would take the cores from the adapter.
test.use({ trace: { mode: 'retain-on-failure', screenshots: false } });

let page: Page;
let faults: string[];

test.beforeAll(async ({ browser, baseURL }) => {
  test.setTimeout(300_000);
  const context = await browser.newContext({ baseURL: baseURL!, viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' });
  page = await context.newPage();
  faults = watchFaults(page, baseURL);
  await page.addInitScript(() => {
    // Reads along what the engine reports of an import: the page does not show how long it took.
    const importTimes: number[] = [];
    const Native = Worker;
    Object.assign(window, {
      importTimes,
      Worker: class extends Native {
        constructor(address: string | URL, options?: WorkerOptions) {
          super(address, options);
          this.addEventListener('message', ({ data }: MessageEvent<{ readonly value?: { readonly dataset?: { readonly milliseconds: number } } }>) => {
            const milliseconds = data.value?.dataset?.milliseconds;
            if (milliseconds !== undefined) importTimes.push(milliseconds);
          });
        }
      },
    });
  });
  await openLab(page, { batchSize: 1, evaluationItems: 10 });
});

test.beforeEach(async () => {
  const data = await openStation(page, 'Data');
  const back = data.getByRole('button', { name: 'Back to the demo data' });
  if (await back.isVisible()) await back.click();
  await expect(station(page, 'Data')).toContainText('Demo data');
});

test.afterEach(() => expect(faults).toEqual([]));

test.afterAll(() => page.context().close());

/** Chooses a file with the button of the station. */
async function choose(name: string, content: string | Buffer): Promise<Locator> {
  const choosing = page.waitForEvent('filechooser');
  await stationBody(page, 'Data').getByRole('button', { name: 'Choose a file' }).click();
  await (await choosing).setFiles({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(content) });
  return stationBody(page, 'Data');
}

/** Text of the trained tokens of a row, without spaces. */
const trainedText = async (row: Locator): Promise<string> => (await row.locator('.tok.on:not(.sp)').allTextContents()).join('').replace(/[\s␣↵]/g, '');

test('7,473 rows of GSM8K are imported in about a second', async () => {
  const real = fileURLToPath(new URL('../../shared/data/gsm8k/train.jsonl', import.meta.url));
  const path = existsSync(real) ? real : writeFile('train.jsonl', jsonLines(rows(7473)));
  const crowded = isCrowded();
  await dropFile(page, path);
  await expect(station(page, 'Data')).toContainText('train.jsonl', { timeout: 90_000 });
  await expect(station(page, 'Data')).toContainText('7,473 rows');
  await expect(stationBody(page, 'Data')).toContainText('GSM8K');
  const milliseconds = await page.evaluate(() => (window as unknown as { readonly importTimes: readonly number[] }).importTimes.at(-1)!);
  report('import', `${milliseconds.toFixed(0)} ms for 7,473 rows${existsSync(real) ? ' of GSM8K' : ''}${crowded ? ' on a crowded machine' : ''}`);
  // The time is on the clock, so that on a crowded machine only a hang is told apart.
  expect(milliseconds).toBeLessThan(crowded ? 60_000 : 2000);
});

const forms = [
  { name: 'alpaca.csv', shape: 'Alpaca', rows: 2, content: 'instruction,input,output\r\n"Add, then say",3 and 4,"7, seven"\r\n"Two\nlines",,ok\r\n' },
  { name: 'pairs.json', shape: 'prompt and completion', rows: 3, content: JSON.stringify([1, 2, 3].map((n) => ({ prompt: `${n} + 1?`, completion: `${n + 1}` }))) },
  { name: 'maths.tsv', shape: 'MATH', rows: 2, content: 'problem\tsolution\n2 + 2?\t4\n3 + 3?\t6\n' },
  { name: 'packed.jsonl.gz', shape: 'GSM8K', rows: 5, content: gzipSync(jsonLines(rows(5))) },
  { name: 'stories.jsonl', shape: 'text', rows: 2, content: jsonLines([{ text: 'The hen saw a fox.' }, { text: 'The fox ran home.' }]) },
];

for (const { name, shape, rows: count, content } of forms) {
  test(`${name} is recognised as ${shape}`, async () => {
    const data = await choose(name, content);
    await expect(station(page, 'Data')).toContainText(name);
    await expect(data.locator('.file')).toContainText(shape);
    await expect(data).toContainText(`Row 1 of ${count}`);
    await expect(data.locator('.tok.on').first()).toBeVisible();
  });
}

test('the preview marks what is trained, and another column can be made the answer', async () => {
  const data = await choose('two-answers.json', JSON.stringify(rows(7).map(({ question, answer }, index) => ({ question, solution: answer.split('\n')[0], short: `just ${index + 20}` }))));
  await data.getByRole('button', { name: 'Open preview' }).click();
  const sheet = page.getByRole('region', { name: 'Data preview' });
  const first = sheet.getByRole('group', { name: /^Row 1 as \d+ tokens, \d+ of them trained and underlined$/ });
  const label = (await first.getAttribute('aria-label'))!;
  const [, tokens, trained] = /as (\d+) tokens, (\d+) of/.exec(label)!;
  await expect(first.locator('.tok')).toHaveCount(Number(tokens));
  await expect(first.locator('.tok.on')).toHaveCount(Number(trained));
  expect(await trainedText(first)).toBe('10+10=20.');

  const use = (column: string): Locator => sheet.getByRole('combobox', { name: `Use of ${column}` });
  await expect(use('question')).toHaveValue('prompt');
  await expect(use('solution')).toHaveValue('completion');
  await use('solution').selectOption({ label: 'Not used' });
  await expect(sheet).toContainText('One column has to be the answer. Make another column the answer first.');
  await use('short').selectOption({ label: 'Answer, trained' });
  await expect(use('solution')).toHaveValue('unused');
  await expect.poll(() => trainedText(sheet.getByRole('group', { name: /^Row 1 as/ }))).toBe('just20');
  await sheet.getByRole('button', { name: 'Next' }).click();
  await expect(sheet).toContainText('Rows 6 to 7 of 7');
  await page.keyboard.press('Escape');
  await expect(sheet).toBeHidden();
  await expect.poll(() => trainedText(data.getByRole('group', { name: /^Row 1 as/ }))).toBe('just20');
});

test('a bad row is named, the data before is kept, and the row can be skipped', async () => {
  const lines = jsonLines(rows(20)).split('\n');
  lines[12] = lines[12]!.slice(0, 40);
  const data = await choose('torn.jsonl', lines.join('\n'));
  const alert = data.getByRole('alert');
  await expect(alert).toContainText('torn.jsonl was not loaded');
  await expect(alert).toContainText(/Row 13: the line ends inside a string, at character \d+\./);
  await expect(alert).toContainText('Rows 1 to 12 read well. The demo data is still loaded.');
  await expect(station(page, 'Data')).toContainText('Demo data');
  await expect(status(page)).toContainText('1 problem in Data');
  await alert.getByRole('button', { name: 'Skip this row' }).click();
  await expect(station(page, 'Data')).toContainText('torn.jsonl');
  await expect(station(page, 'Data')).toContainText('19 rows');
  await expect(alert).toBeHidden();
});

test('a file without rows changes nothing', async () => {
  const data = await choose('empty.csv', '');
  await expect(data.getByRole('alert')).toContainText('empty.csv was not loaded');
  await expect(data.getByRole('button', { name: 'Skip this row' })).toBeHidden();
  await data.getByRole('button', { name: 'Dismiss' }).click();
  await expect(station(page, 'Data')).toContainText('Demo data');
});

/** The box of a dataset that is only measured on. */
const measured = (role: 'heldOut' | 'outOfDomain'): Locator => page.locator(`.drop[data-role="${role}"]`);

const fixture = (name: string): string => fileURLToPath(new URL(`../src/data/fixtures/${name}`, import.meta.url));

test('parquet and conversations are dropped: turns are marked, and another column can be taken', async () => {
  await dropFile(page, fixture('chat.parquet'));
  const data = stationBody(page, 'Data');
  await expect(station(page, 'Data')).toContainText('chat.parquet');
  await expect(data.locator('.file')).toContainText('messages');
  await data.getByRole('button', { name: 'Open preview' }).click();
  const sheet = page.getByRole('region', { name: 'Data preview' });
  await expect(sheet).toContainText('written by the chat template');
  await expect(sheet.getByRole('combobox', { name: 'Use of messages' })).toHaveValue('messages');
  const first = sheet.getByRole('group', { name: /^Row 1 as/ });
  await expect(first).toContainText('user');
  expect(await trainedText(first)).toMatch(/^4.*im_end/u);
  expect(await sheet.getByRole('combobox', { name: 'Use of messages' }).locator('option').allTextContents(), 'parts that a list of turns can play').toEqual(['Prompt', 'Answer, trained', 'Conversation', 'Not used']);
  await page.keyboard.press('Escape');

  await dropFile(page, fixture('snappy.parquet'), 'heldOut');
  await expect(measured('heldOut')).toContainText('snappy.parquet');
  await expect(measured('heldOut')).toContainText('50 items');
});

test('of a row of OpenR1-Math the conversation or the solution can be taken', async () => {
  const messages = [{ role: 'user', content: '2 + 3?' }, { role: 'assistant', content: 'It is 5.' }];
  const data = await choose('openr1.jsonl', jsonLines([1, 2, 3].map((n) => ({ problem: `2 + ${n}?`, solution: `so ${n + 2}`, messages }))));
  await expect(data.locator('.file')).toContainText('OpenR1-Math');
  await data.getByRole('button', { name: 'Open preview' }).click();
  const sheet = page.getByRole('region', { name: 'Data preview' });
  await sheet.getByRole('combobox', { name: 'Use of solution' }).selectOption({ label: 'Answer, trained' });
  await expect(sheet.getByRole('combobox', { name: 'Use of problem' })).toHaveValue('prompt');
  await expect(sheet.getByRole('combobox', { name: 'Use of messages' })).toHaveValue('unused');
  await expect.poll(() => trainedText(sheet.getByRole('group', { name: /^Row 1 as/ }))).toBe('so3');
  await page.keyboard.press('Escape');
});

test('shared rows are counted anew in all datasets when one of them changes', async () => {
  await dropFile(page, writeFile('train.jsonl', jsonLines(rows(20))));
  await expect(station(page, 'Data')).toContainText('train.jsonl');
  const shared = stationBody(page, 'Data').locator('.spec div', { hasText: 'Shared with held-out' });
  await expect(shared).toContainText('0');
  await dropFile(page, writeFile('same.jsonl', jsonLines(rows(8, 15))), 'heldOut');
  await expect(measured('heldOut')).toContainText('5 also in training');
  await expect(shared).toContainText('5');
  await expect(stationBody(page, 'Data')).toContainText('5 rows are also in the held-out data');
});

const capitals = [
  { question: 'What is the capital of France?', choices: ['Rome', 'Paris', 'Oslo'], answer: 1, subject: 'places' },
  { question: 'How many legs has a hen?', choices: ['two', 'four', 'six'], answer: 0, subject: 'animals' },
  { question: 'What is two and two?', choices: ['3', '4', '5'], answer: 1, subject: 'sums' },
  { question: 'What is three and three?', choices: ['5', '6', '9'], answer: 1, subject: 'sums' },
];

test('multiple choice is measured by the likeliest option, and its items can be looked through', async () => {
  await dropFile(page, writeFile('choices.jsonl', jsonLines(capitals)), 'outOfDomain');
  await expect(measured('outOfDomain')).toContainText('4 items, by likeliest option');
  await measured('outOfDomain').getByRole('button', { name: 'Preview out-of-domain data' }).click();
  const preview = page.getByRole('region', { name: 'Data preview' });
  await expect(preview.locator('.row-options').first().locator('[data-right="true"]')).toHaveText(/Paris.*right/);
  await expectAccessible(page, 'the preview of multiple choice');
  await page.keyboard.press('Escape');

  await dropFile(page, writeFile('train.jsonl', jsonLines(rows(20))));
  await page.getByRole('button', { name: 'Evaluate…' }).click();
  const sheet = page.getByRole('region', { name: 'Evaluation' });
  await sheet.getByRole('radio', { name: 'Out-of-domain' }).check({ force: true });
  await expect(sheet.getByRole('radio', { name: /^Likeliest option, fits this data/ })).toBeChecked();
  await sheet.getByRole('button', { name: 'Evaluate', exact: true }).click();
  await expect(sheet.getByRole('region', { name: 'Report' })).toContainText('4 items of choices.jsonl, by likeliest option.', patience);
  await expect(sheet.getByRole('columnheader', { name: 'Right by byte (acc_norm)' })).toBeVisible();
  await expect(sheet.getByRole('group', { name: 'Scores by group' }).getByRole('row')).toHaveCount(4);
  const items = sheet.getByRole('article');
  await expect(items).toHaveCount(4);
  await expect(items.first().getByRole('row')).toHaveCount(4);
  await expect(items.first().getByRole('cell', { name: /^chosen −\d+\.\d\d$/ })).toHaveCount(1);
  await expectAccessible(page, 'a report with options');
  await page.keyboard.press('Escape');
  await expect(sheet).toBeHidden();
});

test('five held-out items are evaluated, and a failure goes to the playground', async () => {
  await dropFile(page, writeFile('train.jsonl', jsonLines(rows(20))));
  await dropFile(page, writeFile('measured.jsonl', jsonLines(rows(12, 64))), 'heldOut');
  await expect(measured('heldOut')).toContainText('12 items, by whole completion');
  await page.getByRole('button', { name: 'Evaluate…' }).click();
  const sheet = page.getByRole('region', { name: 'Evaluation' });
  await expect(sheet.getByRole('heading', { name: 'Evaluate' })).toBeFocused();
  await sheet.getByRole('radio', { name: 'Held-out' }).check({ force: true });
  await expect(sheet.getByRole('radio', { name: /^Likeliest option/ })).toBeDisabled();
  const items = sheet.getByRole('textbox', { name: 'Items' });
  await items.fill('0');
  await expect(sheet).toContainText('Between 1 and 1,000,000');
  await items.fill('5');
  await sheet.getByRole('button', { name: 'Evaluate', exact: true }).click();
  const made = sheet.getByRole('region', { name: 'Report' });
  await expect(made).toContainText('5 items of measured.jsonl, by whole completion.', patience);
  await expect(made.getByRole('row', { name: /^Base model/ })).toContainText(/\d+% \d+–\d+% 5|\d+%\d+–\d+%5/);
  await sheet.getByRole('radio', { name: 'Failures' }).check({ force: true });
  const failure = sheet.getByRole('article').first();
  await expect(failure).toContainText('incorrect');
  const question = (await failure.locator('.q').textContent())!;
  await failure.getByRole('button', { name: 'Ask in the playground' }).click();
  await expect(sheet).toBeHidden();
  await expect(page.getByRole('textbox', { name: 'Prompt' })).toHaveValue(question);
  await page.getByRole('tab', { name: 'Train' }).click();
});
