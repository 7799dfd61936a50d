/**
 * @file What every script here needs: where the repository is, how to run a program and how to run an installed tool.
 * Nothing outside Node is imported, because these scripts run before node_modules exists.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(fileURLToPath(new URL('..', import.meta.url)));

/** A program that hangs should end the run with a failure rather than with silence. */
const TIMEOUT = 15 * 60_000;

/** Runs a program from the repository's root with its output on the terminal; resolves to the exit code. */
export function run(command, args, { env = {}, shell = false } = {}) {
  return new Promise((done) => {
    const stdio = ['ignore', 'inherit', 'inherit'];
    const child = spawn(command, args, { cwd: root, stdio, env: { ...process.env, ...env }, shell, timeout: TIMEOUT });
    child.on('error', (error) => {
      console.error(`${command}: ${error.message}`);
      done(127);
    });
    child.on('exit', (code, signal) => {
      if (signal) console.error(`${command} ended by ${signal} after at most ${TIMEOUT / 60_000} minutes.`);
      done(code ?? 1);
    });
  });
}

/** Runs the command `name` of an installed npm package with this Node: on Windows node_modules/.bin holds no programs. */
export function runTool(packageName, name, args, env = {}) {
  const folder = join(root, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return run(process.execPath, [join(folder, bin[name]), ...args], { env });
}

/** True if this is the superuser of a Debian system, who may install packages without asking anyone. */
export function isRootOnDebian() {
  const isDebian = existsSync('/etc/os-release') && /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
  return isDebian && process.getuid?.() === 0;
}
