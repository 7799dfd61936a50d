/**
 * @file A Python with what reference/requirements.txt pins: the one in the environment if it has the packages, else a virtual environment of the
 * repository's own, made at the first use.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './tools.mjs';

const REQUIREMENTS = join(root, 'reference/requirements.txt');
const FOLDER = join(root, '.interop');
const OLDEST = [3, 10];
const isWindows = process.platform === 'win32';
const ownPython = join(FOLDER, isWindows ? 'Scripts/python.exe' : 'bin/python');

const ask = (python, code) => spawnSync(python, ['-c', code], { cwd: root, encoding: 'utf8' });

/** The command of a Python that is new enough: $PYTHON, else what the system has; undefined where there is none. */
function findPython() {
  const candidates = process.env.PYTHON ? [process.env.PYTHON] : ['python3', 'python'];
  return candidates.find((python) => {
    const { status, stdout } = ask(python, 'import sys; print(*sys.version_info[:2])');
    const [major, minor] = (stdout ?? '').trim().split(' ').map(Number);
    return status === 0 && major === OLDEST[0] && minor >= OLDEST[1];
  });
}

/** True if every pinned package is there at its version. */
function hasPackages(python) {
  const pins = readFileSync(REQUIREMENTS, 'utf8').split('\n').filter(Boolean).map((line) => line.split('=='));
  const code = `import importlib.metadata as m, sys
for name, pin in ${JSON.stringify(pins.map(([name, pin]) => [name, pin ?? '']))}:
    version = m.version(name).split('+')[0]
    assert not pin or version == pin, (name, version)`;
  return ask(python, code).status === 0;
}

/**
 * A Python to run reference/ with.
 * @param install whether the packages may be installed where no Python has them
 * @returns `{ python }`, or `{ missing }`: a sentence that says why there is none
 */
export async function ensurePython(install) {
  const python = findPython();
  if (!python) return { missing: process.env.PYTHON ? `PYTHON is ${process.env.PYTHON}, and that is no Python 3.10 or newer` : 'there is no Python 3.10 or newer' };
  if (hasPackages(python)) return { python };
  if (existsSync(ownPython) && hasPackages(ownPython)) return { python: ownPython };
  if (!install) return { missing: `Python has not the packages of reference/requirements.txt; npm run test:interop installs them into .interop` };
  // A folder that was left half made, or made for other pins, is made again.
  rmSync(FOLDER, { recursive: true, force: true });
  console.log('Installing the packages of reference/requirements.txt into .interop...');
  if ((await run(python, ['-m', 'venv', FOLDER])) !== 0) return { missing: 'python -m venv failed; the lines above say why' };
  const code = await run(ownPython, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS]);
  if (code !== 0) return { missing: 'pip could not install reference/requirements.txt; the lines above say why. Is the package index reachable?' };
  return { python: ownPython };
}
