/** @file The page for everyone: axe finds nothing in any view, in light and dark; everything works from the keyboard; motion stops where it is unwanted. */
import { test, type Locator, type Page } from '@playwright/test';
import { expectAccessible } from './axe.ts';
import { jsonLines, rows, writeFile } from './gsm8k.ts';
import { completedSteps, dropFile, dropSmallData, expect, openLab, openStation, patience, shortRun, showTab, station, stationBody, status } from './page.ts';

// A film of the page would take the cores from the adapter.
test.use({ trace: { mode: 'retain-on-failure', screenshots: false } });

test.describe('a session', () => {
  test.describe.configure({ mode: 'serial', timeout: 300_000 });

  let page: Page;

  test.beforeAll(async ({ browser, baseURL }) => {
    test.setTimeout(300_000);
    const context = await browser.newContext({ baseURL: baseURL!, viewport: { width: 1440, height: 900 }, reducedMotion: 'reduce' });
    page = await context.newPage();
    await openLab(page, { ...shortRun, steps: 5000, evaluateEvery: 2, driftEvery: 2 });
  });

  test.afterAll(() => page.context().close());

  const sheet = (): Locator => page.getByRole('region', { name: 'Data preview' });
  const selectedTab = (): Locator => page.getByRole('tab', { selected: true });

  test('axe finds nothing on the first page, in the stations and in the preview', async () => {
    await expectAccessible(page, 'the first page');
    expect(await page.evaluate(() => document.documentElement.scrollHeight - window.innerHeight), 'wide, only the views scroll, not the page').toBe(0);
    for (const name of ['Model', 'Data', 'Method', 'Run'] as const) {
      await openStation(page, name);
      await expectAccessible(page, `station ${name}`);
    }
    await dropFile(page, writeFile('bad.jsonl', `${jsonLines(rows(3))}{"question": "cut`));
    await expect(stationBody(page, 'Data').getByRole('alert')).toContainText('bad.jsonl was not loaded');
    await expectAccessible(page, 'a file that was not loaded');
    await dropSmallData(page);
    await stationBody(page, 'Data').getByRole('button', { name: 'Open preview' }).click();
    await expect(sheet().locator('.srow')).toHaveCount(5);
    await expectAccessible(page, 'the preview');
    await page.keyboard.press('Escape');
    await expect(sheet()).toBeHidden();
    await expectAccessible(page, 'Train before a run');
  });

  test('numbers open tabs, letters open stations, Esc closes, ? lists the keys', async () => {
    await page.locator('body').click({ position: { x: 700, y: 20 } });
    for (const [key, name] of [['2', 'Compare'], ['3', 'Spectrum'], ['4', 'Playground'], ['5', 'Export'], ['1', 'Train']] as const) {
      await page.keyboard.press(key);
      await expect(selectedTab()).toHaveText(name);
    }
    for (const [key, name] of [['m', 'Model'], ['d', 'Data'], ['h', 'Method'], ['r', 'Run']] as const) {
      await page.keyboard.press(key);
      await expect(station(page, name)).toBeFocused();
      await expect(station(page, name)).toHaveAttribute('aria-expanded', 'true');
    }
    const keys = page.getByRole('dialog', { name: 'Keys' });
    await page.keyboard.press('?');
    await expect(keys).toBeVisible();
    await expect(keys).toContainText('Pause or resume');
    await keys.getByRole('checkbox').uncheck({ force: true });
    await page.keyboard.press('Escape');
    await expect(keys).toBeHidden();
    await page.keyboard.press('2');
    await expect(selectedTab(), 'letters and digits are switched off').toHaveText('Train');
    await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
    await keys.getByRole('checkbox').check({ force: true });
    await page.keyboard.press('Escape');
  });

  test('arrows move on tabs, and text fields keep their letters', async () => {
    await page.getByRole('tab', { name: 'Train' }).focus();
    await page.keyboard.press('ArrowRight');
    await expect(page.getByRole('tab', { name: 'Compare' })).toBeFocused();
    await expect(selectedTab()).toHaveText('Compare');
    await page.keyboard.press('End');
    await expect(selectedTab()).toHaveText('Export');
    await page.keyboard.press('ArrowLeft');
    await expect(selectedTab()).toHaveText('Playground');
    const prompt = page.getByRole('textbox', { name: 'Prompt' });
    await prompt.focus();
    await page.keyboard.type('1 mr?');
    await expect(prompt).toHaveValue('1 mr?');
    await expect(selectedTab()).toHaveText('Playground');
    await showTab(page, 'Train');
  });

  test('the skip link leads past the rail', async () => {
    await page.getByRole('link', { name: 'Skip to results' }).focus();
    await page.keyboard.press('Enter');
    await expect(page.getByRole('main')).toBeFocused();
  });

  test('Ctrl Enter starts, P pauses and resumes, S makes one step', async () => {
    await page.keyboard.press('ControlOrMeta+Enter');
    await expect.poll(() => completedSteps(page), patience).toBeGreaterThan(0);
    await page.keyboard.press('p');
    await expect(status(page)).toContainText('Paused', patience);
    const paused = await completedSteps(page);
    await page.keyboard.press('s');
    await expect.poll(() => completedSteps(page), patience).toBe(paused + 1);
    await page.keyboard.press('p');
    await expect.poll(() => completedSteps(page), patience).toBeGreaterThan(Math.max(4, paused + 1));
    await stationBody(page, 'Run').getByRole('button', { name: 'Stop and keep' }).press('Enter');
    await expect(status(page)).toContainText('Stopped', patience);
  });

  test('figures and maps are moved through with arrows, T shows the numbers', async () => {
    const loss = page.getByRole('img', { name: /^Loss per trained token/ });
    await loss.focus();
    await page.keyboard.press('Home');
    const tooltip = page.locator('.figure-plot', { hasText: 'Step 1' });
    await expect(tooltip).toBeVisible();
    await page.keyboard.press('ArrowRight');
    await expect(page.locator('.figure-plot', { hasText: 'Step 2' })).toBeVisible();
    await page.keyboard.press('t');
    const table = page.getByRole('region', { name: 'Loss, as a table' });
    await expect(table).toBeFocused();
    await expect(table.getByRole('row').nth(1)).toContainText(/^1\d?\.\d{3}/);
    await page.keyboard.press('t');
    await expect(loss).toBeFocused();

    await page.keyboard.press('3');
    const cells = page.getByRole('grid').locator('td[data-key]');
    const first = page.getByRole('grid').locator('td[tabindex="0"]');
    await first.focus();
    await page.keyboard.press('ArrowDown');
    const moved = page.locator('td[data-key]:focus');
    await expect(moved).toHaveCount(1);
    const name = (await moved.getAttribute('data-key'))!;
    await page.keyboard.press('Enter');
    await expect(cells.and(page.locator(`[data-key="${name}"]`))).toHaveAttribute('aria-selected', 'true');
    const finding = page.locator('.spectrum-line');
    const last = (await finding.textContent())!;
    await page.keyboard.press('[');
    await expect(finding).not.toHaveText(last);
    await page.keyboard.press(']');
    await expect(finding).toHaveText(last);
  });

  test('axe finds nothing in any tab after a run', async () => {
    await showTab(page, 'Train');
    await expectAccessible(page, 'Train');
    await openStation(page, 'Run');
    await expectAccessible(page, 'station Run after a run');
    await page.getByRole('img', { name: /^Loss per trained token/ }).press('t');
    await expectAccessible(page, 'a figure as a table');
    await showTab(page, 'Compare');
    await page.getByRole('button', { name: /^More of / }).first().click();
    await expectAccessible(page, 'Compare');
    await showTab(page, 'Spectrum');
    await expectAccessible(page, 'Spectrum');
    await showTab(page, 'Playground');
    await page.getByRole('textbox', { name: 'Tokens' }).fill('4');
    await page.getByRole('textbox', { name: 'Prompt' }).fill('Ann has 21 eggs and buys 20 more. How many eggs?');
    await page.keyboard.press('ControlOrMeta+Enter');
    await expect(page.locator('.trial .foot', { hasText: 'mean probability' })).toHaveCount(2, patience);
    await expectAccessible(page, 'Playground');
    await showTab(page, 'Export');
    await page.getByRole('button', { name: 'Download zip' }).click();
    await expect(page.getByText('Verified')).toBeVisible(patience);
    await expectAccessible(page, 'Export');
  });
});

test('nothing moves where less motion is wanted', async ({ page }) => {
  const moving = (): Promise<number> => page.evaluate(() => document.getAnimations().filter(({ playState }) => playState === 'running').length);
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  await page.goto('/');
  await expect.poll(moving, 'the idle drawing sways').toBeGreaterThan(0);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await expect.poll(moving).toBe(0);
});
