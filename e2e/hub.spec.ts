/**
 * @file A real checkpoint by name, from a hub on this machine: the download is stopped and resumed, chat data is dropped, an adapter is trained with
 * LoRA and RPSFT, exported, and dropped back onto the page. `npm test` hands the adapter on to PEFT (the interop stage).
 */
import { mkdir, readFile, writeFile as writeToDisk } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test, type Page } from '@playwright/test';
import { unzipFiles } from '../src/formats/zip.ts';
import { jsonLines, rows, writeFile } from './gsm8k.ts';
import { startHub, type HubServer } from './hub-server.ts';
import { dropFile, dropSmallData, expect, openLab, openStation, patience, shortRun, showTab, station, stationBody, status, watchFaults } from './page.ts';

test.describe.configure({ mode: 'serial', timeout: 300_000 });
test.use({ trace: { mode: 'retain-on-failure', screenshots: false } });

const MODEL = fileURLToPath(new URL('../public/model', import.meta.url));
const REPO = 'gimbal/small';
/** A template of few tokens for a tokenizer that knows no markers. */
const TEMPLATE = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}";

let hub: HubServer;
let page: Page;
let faults: string[];

test.beforeAll(async ({ browser, baseURL }) => {
  test.setTimeout(300_000);
  const names = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
  const files = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(MODEL, name))] as const)));
  hub = await startHub({ [REPO]: { files: { ...files, 'chat_template.jinja': TEMPLATE } } });
  const context = await browser.newContext({ baseURL: baseURL!, viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' });
  page = await context.newPage();
  faults = watchFaults(page, baseURL, [hub.url, hub.storageUrl]);
  await openLab(page, { ...shortRun, method: 'rpsft', steps: 12, maxLength: 96 });
});

test.afterAll(async () => {
  await page.context().close();
  await hub.close();
});

test.afterEach(() => expect(faults, 'the console stayed clean and nobody but the hub was asked').toEqual([]));

test('shows what a download takes, stops it halfway, and goes on from the same byte', async () => {
  const region = await openStation(page, 'Model');
  await region.getByRole('radio', { name: /Hugging Face Hub/ }).check();
  await region.getByLabel('Name or address').fill(`${hub.url}/${REPO}`);
  await region.getByRole('button', { name: 'Look up' }).click();
  await expect(region).toContainText('In the cache');
  hub.fail('model.safetensors', { kind: 'trickle', bytes: 8_000 });
  await region.getByRole('button', { name: /^Download \d/ }).click();
  await expect(region.locator('.opening')).toContainText(/Downloading/);
  await expect.poll(() => region.locator('.opening').textContent(), patience).toMatch(/Downloading [123]\.\d of/);
  await region.getByRole('button', { name: 'Cancel' }).click();
  await expect(region.getByRole('button', { name: /^Download the other/ })).toBeEnabled();
  await expect(station(page, 'Model'), 'the open model stays').toContainText('Built-in model');
  hub.reset();
  await region.getByRole('button', { name: /^Download the other/ }).click();
  await expect(region.locator('.model-name')).toHaveText(REPO, patience);
  const resumed = hub.requests.find(({ path, range }) => path === 'model.safetensors' && range !== undefined);
  expect(Number(/^bytes=(\d+)-$/.exec(resumed!.range!)![1]), 'the bytes that had arrived are not asked for again').toBeGreaterThan(1_000_000);
  expect(hub.requests.every(({ referrer }) => referrer === undefined)).toBe(true);
  await expect(stationBody(page, 'Model')).toContainText("the model's own");
});

test('chat data is dropped, and shown as the template writes it', async () => {
  await dropSmallData(page);
  const chats = rows(48).map(({ question, answer }) => ({ messages: [{ role: 'user', content: question }, { role: 'assistant', content: answer }] }));
  await dropFile(page, writeFile('chats.jsonl', jsonLines(chats)));
  await expect(station(page, 'Data')).toContainText('chats.jsonl');
  await expect(stationBody(page, 'Data')).toContainText('messages');
});

test('LoRA with RPSFT trains the adapter', async () => {
  const region = await openStation(page, 'Method');
  await region.getByRole('radio', { name: 'LoRA', exact: true }).check();
  await expect(region).toContainText(/weights are trained/);
  await page.locator('.rail-foot').getByRole('button', { name: /^Start/ }).click();
  await expect(page.locator('.rail-foot').getByRole('button', { name: /^Start a new run/ })).toBeVisible(patience);
  await expect(status(page)).toContainText('Finished');
});

test('the adapter is exported, drops back onto the model, and is ready for PEFT', async () => {
  await showTab(page, 'Export');
  await page.getByRole('radio', { name: /PEFT/ }).check();
  const downloading = page.waitForEvent('download', patience);
  await page.getByRole('button', { name: 'Download zip' }).click();
  const download = await downloading;
  const figure = page.locator('figure', { hasText: 'Verified' });
  await expect(figure).toContainText('equal to the last bit');
  await expect(figure.getByText('failed')).toHaveCount(0);

  const zip = await readFile(await download.path());
  const files = await unzipFiles(new Blob([zip]), download.suggestedFilename());
  const named = new Map([...files].map(([path, blob]) => [path.slice(path.indexOf('/') + 1), blob]));
  const { prompts } = JSON.parse(await named.get('logits.json')!.text()) as { prompts: readonly { readonly ids: readonly number[]; readonly logits: readonly (readonly [number, number])[] }[] };
  expect(prompts).toHaveLength(3);
  await handOn(named, prompts);

  const path = writeFile('adapter.zip', zip);
  await dropFile(page, path);
  // The page opens the Run station when the run is there.
  await expect(stationBody(page, 'Run')).toContainText('adapter', patience);
});

/** Where the interop stage looks for exports; without it only this test runs and nobody asks. */
async function handOn(files: ReadonlyMap<string, Blob>, prompts: unknown): Promise<void> {
  const folder = process.env['GIMBAL_EXPORTS'];
  if (folder === undefined) return;
  const target = join(folder, 'chromium', 'peft');
  for (const [path, blob] of files) {
    await mkdir(dirname(join(target, path)), { recursive: true });
    await writeToDisk(join(target, path), Buffer.from(await blob.arrayBuffer()));
  }
  await writeToDisk(join(target, 'expected.json'), JSON.stringify({ kind: 'peft', base: MODEL, steps: 12, prompts }));
}
