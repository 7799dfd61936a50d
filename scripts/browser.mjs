/** @file Finds a browser with WebGPU on this machine and, for the tests, installs one if there is none. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isRootOnDebian, run, runTool } from './tools.mjs';

/** Where Chrome, Chromium and Edge live on each platform, the preferred first. */
function knownPaths() {
  const { env, platform } = process;
  if (platform === 'darwin') {
    return ['', env.HOME ?? ''].flatMap((home) =>
      ['Google Chrome', 'Chromium', 'Microsoft Edge'].map((name) => `${home}/Applications/${name}.app/Contents/MacOS/${name}`),
    );
  }
  if (platform === 'win32') {
    const folders = [env['PROGRAMFILES'], env['PROGRAMFILES(X86)'], env['LOCALAPPDATA']].filter((folder) => folder !== undefined);
    return ['Google\\Chrome\\Application\\chrome.exe', 'Chromium\\Application\\chrome.exe', 'Microsoft\\Edge\\Application\\msedge.exe'].flatMap(
      (path) => folders.map((folder) => join(folder, path)),
    );
  }
  const folders = [...(env.PATH ?? '').split(':'), '/usr/bin', '/snap/bin'].filter((folder) => folder !== '');
  return ['google-chrome', 'google-chrome-stable', 'chromium', 'chromium-browser', 'microsoft-edge', 'microsoft-edge-stable'].flatMap((name) =>
    folders.map((folder) => join(folder, name)),
  );
}

/** A stub or a browser whose libraries are missing exists too, but does not run. On Windows `--version` would open a window. */
const runs = (path) => existsSync(path) && (process.platform === 'win32' || spawnSync(path, ['--version'], { timeout: 30_000 }).status === 0);

/** The path of an installed Chrome, Chromium or Edge, or undefined. GIMBAL_BROWSER names another. */
export function findBrowser() {
  const chosen = process.env.GIMBAL_BROWSER;
  return chosen ? chosen : knownPaths().find(runs);
}

/** Playwright's own Chromium, if it was downloaded before. */
async function findPlaywrightBrowser() {
  const { chromium } = await import('playwright');
  return [chromium.executablePath()].find(runs);
}

/** The path of a browser for the tests, installed first if need be; rejects with a sentence that says what to install. */
export async function ensureBrowser() {
  const found = findBrowser() ?? (await findPlaywrightBrowser());
  if (found !== undefined) return found;
  if (isRootOnDebian()) {
    console.log('No Chrome, Chromium or Edge here; installing the distribution\'s Chromium...');
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['-qq', 'update'], { env });
    await run('apt-get', ['-qq', '-o=Dpkg::Use-Pty=0', 'install', '--yes', '--no-install-recommends', 'chromium', 'fonts-liberation'], { env });
  } else {
    console.log('No Chrome, Chromium or Edge here; downloading Playwright\'s Chromium...');
    await runTool('playwright', 'playwright', ['install', '--no-shell', ...(process.getuid?.() === 0 ? ['--with-deps'] : []), 'chromium']);
  }
  const installed = findBrowser() ?? (await findPlaywrightBrowser());
  if (installed !== undefined) return installed;
  throw new Error(
    'The tests need Google Chrome, Chromium or Microsoft Edge, and none could be installed. Install one of them (on Debian: apt install chromium), ' +
      'or name one in the environment variable GIMBAL_BROWSER, and run npm test again.',
  );
}
