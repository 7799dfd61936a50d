/**
 * @file Finds the WebGPU adapter that the tests in Node run on. Hardware if Dawn sees any; else, on Linux, SwiftShader, the software Vulkan
 * driver that every Chrome and Chromium carries in its own folder, beside a copy of the Vulkan loader for systems that have none.
 * Whoever sets VK_DRIVER_FILES (to Mesa's lavapipe, say) has chosen the driver: it is left alone.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { root } from './tools.mjs';

const DRIVER = 'vk_swiftshader_icd.json';

/** In a process of its own: the loader reads its environment once, and a broken driver may take the process down. */
const PROBE = `
import { create, globals } from 'webgpu';
Object.assign(globalThis, globals);
const adapter = await create([]).requestAdapter();
const { vendor, architecture, description, isFallbackAdapter } = adapter?.info ?? {};
if (adapter) console.log(JSON.stringify({ name: description || [vendor, architecture].join(' '), isSoftware: isFallbackAdapter }));
process.exit();`;

function probe(env) {
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', PROBE], { cwd: root, env: { ...process.env, ...env }, encoding: 'utf8' });
  const line = stdout.trim().split('\n').at(-1);
  return line ? { env, ...JSON.parse(line) } : undefined;
}

/** The folder of the browser that holds SwiftShader; the browser's command may be a script that lives elsewhere. */
function driverFolder(browser) {
  const folders = [dirname(realpathSync(browser)), '/usr/lib/chromium', '/usr/lib/chromium-browser', '/usr/lib64/chromium-browser', '/usr/lib64/chromium'];
  folders.push('/snap/chromium/current/usr/lib/chromium-browser', '/opt/google/chrome', '/opt/microsoft/msedge');
  return folders.find((folder) => existsSync(join(folder, DRIVER)));
}

/** The adapter's name and the environment to run Dawn in; rejects with a sentence if there is none. `browser` is asked for only if needed. */
export async function findAdapter(browser) {
  const chosen = process.env.VK_DRIVER_FILES !== undefined;
  const own = probe({});
  if (own && (chosen || process.platform !== 'linux' || !own.isSoftware)) return own;
  const folder = process.platform === 'linux' ? driverFolder(await browser()) : undefined;
  const software =
    folder &&
    probe({
      ...(chosen ? {} : { VK_DRIVER_FILES: join(folder, DRIVER) }),
      LD_LIBRARY_PATH: [process.env.LD_LIBRARY_PATH, folder].filter(Boolean).join(delimiter),
      XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir(),
    });
  const found = software ?? own;
  if (found) return found;
  throw new Error(
    'Dawn found no WebGPU adapter. Install a GPU driver, or Google Chrome or Chromium for its software driver (SwiftShader), and run npm test again.',
  );
}
