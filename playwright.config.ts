/** @file End-to-end tests of the built page in a real Chromium. `npm run e2e` finds the browser and a free port, and passes them on. */
import { defineConfig } from '@playwright/test';

const { CI, GIMBAL_BROWSER, GIMBAL_E2E_OUT = 'dist', GIMBAL_E2E_PORT = '4173', GIMBAL_GPU } = process.env;
const baseURL = `http://127.0.0.1:${GIMBAL_E2E_PORT}/`;

/**
 * `--enable-unsafe-webgpu` lets pages and workers have an adapter that is software or blocklisted. SwiftShader is asked for by name even where there
 * is hardware, so that every machine tests the same adapter; GIMBAL_GPU=hardware asks for its own, and macOS, where Dawn speaks only Metal, has no other.
 */
const usesHardware = GIMBAL_GPU === 'hardware' || process.platform === 'darwin';
const hardwareFlags = process.platform === 'linux' ? ['--enable-features=Vulkan', '--ignore-gpu-blocklist'] : [];
const adapterFlags = usesHardware ? hardwareFlags : ['--use-webgpu-adapter=swiftshader'];

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results',
  // One software adapter keeps two cores busy.
  workers: 1,
  forbidOnly: CI !== undefined,
  timeout: 120_000,
  globalTimeout: 20 * 60_000,
  use: {
    baseURL,
    viewport: { width: 1440, height: 900 },
    trace: 'retain-on-failure',
    // Playwright's headless shell has no WebGPU: the channel means full Chromium, in the new headless mode.
    ...(GIMBAL_BROWSER === undefined ? { channel: 'chromium' } : {}),
    launchOptions: {
      args: ['--enable-unsafe-webgpu', ...adapterFlags],
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
