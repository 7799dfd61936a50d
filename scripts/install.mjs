/** @file Installs node_modules when it is missing or older than package-lock.json, so that one command is enough on a fresh clone. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './tools.mjs';

const packagesOf = (path) => JSON.parse(readFileSync(join(root, path), 'utf8')).packages;

/** True if everything in the lock file is there at its version; a package for another platform may be absent. */
export function isInstalled() {
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) return false;
  const installed = packagesOf('node_modules/.package-lock.json');
  return Object.entries(packagesOf('package-lock.json')).every(
    ([path, { version, optional }]) => path === '' || (installed[path] ? installed[path].version === version : optional === true),
  );
}

/** Resolves once node_modules is complete; rejects with a sentence for the user. */
export async function ensureInstalled() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) throw new Error(`Gimbal needs Node 20.19 or newer; this is ${process.versions.node}.`);
  if (isInstalled()) return;
  console.log('Installing packages...');
  // No package here needs an install script. Under `npm run` npm says where it is; otherwise it is a command (on Windows a script).
  const args = ['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
  const npm = process.env.npm_execpath;
  const code = await (npm ? run(process.execPath, [npm, ...args]) : run('npm', args, { shell: process.platform === 'win32' }));
  if (code !== 0) throw new Error('The packages could not be installed; the lines above say why. Is the npm registry reachable?');
}
