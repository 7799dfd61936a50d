/** @file End-to-end tests of the built page in a real Chromium. `npm run e2e` finds the browser and a free port, and passes them on. */
import { defineConfig } from '@playwright/test';

const { CI, GIMBAL_BROWSER, GIMBAL_E2E_OUT = 'dist', GIMBAL_E2E_PORT = '4173', GIMBAL_GPU } = process.env;
const baseURL = `http://localhost:${GIMBAL_E2E_PORT}/`;

/**
 * WebGPU on a blocklisted or software adapter needs the first flag, in pages and in workers. SwiftShader is asked for by name even where there is
 * hardware, so that a test sees the same adapter everywhere; GIMBAL_GPU=hardware asks for the machine's own.
 */
const adapter = GIMBAL_GPU === 'hardware' ? ['--enable-features=Vulkan', '--ignore-gpu-blocklist'] : ['--use-webgpu-adapter=swiftshader'];

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  // One software adapter keeps two cores busy.
  workers: 1,
  forbidOnly: CI !== undefined,
  timeout: 120_000,
  globalTimeout: 15 * 60_000,
  use: {
    baseURL,
    viewport: { width: 1440, height: 900 },
    trace: 'retain-on-failure',
    // Playwright's headless shell has no WebGPU: the channel means full Chromium, in the new headless mode.
    ...(GIMBAL_BROWSER === undefined ? { channel: 'chromium' } : {}),
    launchOptions: {
      args: ['--enable-unsafe-webgpu', ...adapter],
      ...(GIMBAL_BROWSER === undefined ? {} : { executablePath: GIMBAL_BROWSER }),
    },
  },
  webServer: {
    command: `node scripts/start.mjs --no-open --port=${GIMBAL_E2E_PORT} --out=${GIMBAL_E2E_OUT}`,
    url: baseURL,
    timeout: 180_000,
    reuseExistingServer: false,
  },
});
