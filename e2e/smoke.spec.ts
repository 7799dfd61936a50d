/** @file The built page loads under its policy, talks to nobody, and a worker on it has a WebGPU adapter. */
import { expect, test } from '@playwright/test';

const PROBE = `
onmessage = async () => {
  const adapter = await navigator.gpu?.requestAdapter();
  postMessage(adapter ? [adapter.info.vendor, adapter.info.architecture].join(' ') : 'no adapter');
};`;

test('the page loads without an error and without a request to another origin', async ({ page, baseURL }) => {
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(baseURL!)) faults.push(`request to ${request.url()}`);
  });
  await page.goto('/');
  await expect(page).toHaveTitle(/Gimbal/);
  await expect(page.locator('#root')).not.toBeEmpty();
  await page.waitForLoadState('networkidle');
  expect(faults).toEqual([]);
});

test('a worker finds a WebGPU adapter', async ({ page }) => {
  // Served from the page's own origin, because the policy lets no worker start from anywhere else.
  await page.route('/probe.js', (route) => route.fulfill({ contentType: 'text/javascript', body: PROBE }));
  await page.goto('/');
  const adapter = await page.evaluate(
    () =>
      new Promise<string>((resolve, reject) => {
        const worker = new Worker('/probe.js');
        worker.addEventListener('message', ({ data }) => resolve(String(data)));
        worker.addEventListener('error', () => reject(new Error('the worker did not start')));
        worker.postMessage('probe');
      }),
  );
  expect(adapter).not.toBe('no adapter');
  test.info().annotations.push({ type: 'adapter', description: adapter });
});

test('the policy stops scripts and requests of other origins', async ({ page }) => {
  await page.goto('/');
  const refused = await page.evaluate(async () => {
    const violations: string[] = [];
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => violations.push(effectiveDirective));
    const script = document.createElement('script');
    script.src = 'https://example.com/script.js';
    document.head.append(script);
    await fetch('https://example.com/').catch(() => undefined);
    await new Promise((done) => setTimeout(done, 100));
    return violations;
  });
  // The policy stands in the page and in the server's header, and each of them objects.
  expect([...new Set(refused)].toSorted()).toEqual(['connect-src', 'script-src-elem']);
});
