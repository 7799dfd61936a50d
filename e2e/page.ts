/** @file What the specs do with the page as a person would: open it, drop a file on it, start and watch a run; and what they watch over. */
import { cpus, loadavg } from 'node:os';
import { expect as expectBase, test, type Locator, type Page } from '@playwright/test';
import type { DatasetRole, RunConfig } from '../src/worker/protocol.ts';
import { jsonLines, rows, writeFile } from './gsm8k.ts';

/** What a page does at once on idle cores takes longer where they are shared with others. */
export const expect = expectBase.configure({ timeout: 30_000 });

/** Seconds on idle cores; a software adapter on busy ones compiles and evaluates for minutes. */
export const patience = { timeout: 240_000 };

/**
 * Others compute on this machine too: more processes a core than a software adapter and a page of its own make. A time that is measured then says more
 * about them than about the page.
 */
export const isCrowded = (): boolean => loadavg()[0]! / cpus().length > 2;

/** Puts a measured number into the report and into the log. */
export function report(type: string, description: string): void {
  test.info().annotations.push({ type, description });
  console.log(`    ${type}: ${description}`);
}

/** Errors and warnings of the console, uncaught errors, and requests to other origins than the page's and those `allowed`, from now on. */
export function watchFaults(page: Page, baseURL: string | undefined, allowed: readonly string[] = []): string[] {
  const faults: string[] = [];
  const origins = new Set([new URL(baseURL ?? '').origin, ...allowed]);
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    const url = request.url();
    if (!/^(data|blob):/.test(url) && !origins.has(new URL(url).origin)) faults.push(`request to ${url}`);
  });
  return faults;
}

/** A run of seconds on a software adapter: short rows, few of them, measured often. */
export const shortRun: Partial<Omit<RunConfig, 'lora' | 'reinforce' | 'follow'>> = { steps: 12, batchSize: 4, maxLength: 48, warmupSteps: 2, evaluateEvery: 4, driftEvery: 4, evaluationItems: 10, rankFraction: 0.25 };

/** Opens the page with settings in its address and waits until a run could start. */
export async function openLab(page: Page, settings: Partial<Omit<RunConfig, 'lora' | 'reinforce' | 'follow'>> = {}): Promise<void> {
  const parts = new URLSearchParams(Object.entries(settings).map(([key, value]) => [key, String(value)]));
  await page.goto(`/#${parts}`);
  await expect(page.getByRole('button', { name: /^Fine-tune the built-in model/ })).toBeEnabled(patience);
}

/**
 * Drags a file from the disk onto the field of a role and lets it go there. The browser makes the events and the DataTransfer itself, as it does for
 * a file that comes from the desktop.
 */
export async function dropFile(page: Page, path: string, role: DatasetRole = 'train'): Promise<void> {
  const client = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  const drag = (type: 'dragEnter' | 'dragOver' | 'drop', x: number, y: number): Promise<unknown> => client.send('Input.dispatchDragEvent', { type, x, y, data });
  await drag('dragEnter', 700, 450);
  const field = page.locator(`.drop-field[data-role="${role}"]`);
  const { x, y, width, height } = (await field.boundingBox())!;
  const [left, top] = [x + width / 2, y + height / 2];
  await drag('dragOver', left, top);
  await expect(field).toHaveAttribute('data-over', 'true');
  await drag('drop', left, top);
  await client.detach();
}

type StationName = 'Model' | 'Data' | 'Method' | 'Run';

/** The line of a station in the rail: its name, what it says closed, and the button that opens it. */
export const station = (page: Page, name: StationName): Locator => page.locator(`#station-${name.toLowerCase()}`);

/** What a station holds while it is open. */
export const stationBody = (page: Page, name: StationName): Locator => page.locator(`#station-${name.toLowerCase()}-body`);

/** Opens a station of the rail if it is closed. */
export async function openStation(page: Page, name: StationName): Promise<Locator> {
  const head = station(page, name);
  if ((await head.getAttribute('aria-expanded')) === 'false') await head.click();
  return stationBody(page, name);
}

export const status = (page: Page): Locator => page.getByRole('contentinfo', { name: 'Status' });

export const showTab = (page: Page, name: 'Train' | 'Compare' | 'Spectrum' | 'Playground' | 'Export'): Promise<void> => page.getByRole('tab', { name }).click();

/** Steps that the live run has made. */
export async function completedSteps(page: Page): Promise<number> {
  const text = (await page.locator('.head-run').textContent()) ?? '';
  return Number(/step ([\d,]+)$/.exec(text)?.[1]?.replace(',', '') ?? Number.NaN);
}

/** Loads small files for all three roles, so that an evaluation takes seconds. */
export async function dropSmallData(page: Page): Promise<void> {
  const groups = ['sums', 'differences'];
  await dropFile(page, writeFile('trained.jsonl', jsonLines(rows(64))), 'train');
  await expect(station(page, 'Data')).toContainText('trained.jsonl');
  await dropFile(page, writeFile('measured.jsonl', jsonLines(rows(12, 64))), 'heldOut');
  await expect(page.locator('.drop[data-role="heldOut"]')).toContainText('12 items');
  await dropFile(page, writeFile('elsewhere.jsonl', jsonLines(rows(12, 76).map((row, index) => ({ ...row, group: groups[index % 2] })))), 'outOfDomain');
  await expect(page.locator('.drop[data-role="outOfDomain"]')).toContainText('12 items');
}
