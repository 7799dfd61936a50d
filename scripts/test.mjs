/**
 * @file `npm test`: installs what is missing, runs every check and ends with the line "N passed, N failed". Types and lint count as one each,
 * then every unit and every end-to-end test, and where there is Python every check of exports in it. A failing stage does not stop those after it.
 * `npm run unit -- src/gpu` runs one stage (types, lint, unit, e2e, interop) and hands the rest of the line to its tool.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBrowser } from './browser.mjs';
import { ensureInstalled } from './install.mjs';
import { ensurePython } from './python.mjs';
import { checkRooms } from './rooms.mjs';
import { findAdapter } from './software-gpu.mjs';
import { run, runTool } from './tools.mjs';

const [only, ...extra] = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), 'gimbal-test-'));
/** What the end-to-end tests take out of the page, for Python to open. */
const exportsFolder = join(scratch, 'exports');

/** One check that passes or fails as a whole. */
const single = (code) => (code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 });

/** The counts in a reporter's file; a tool that failed without a failed test (a crash, no test found) counts as one failure. */
function counted(code, file, read) {
  let counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    counts = read(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    console.error(`No report at the end: ${error.message}`);
  }
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

const stages = {
  types: async () => single(await runTool('typescript', 'tsc', extra)),

  async lint() {
    const faults = checkRooms();
    for (const fault of faults) console.error(fault);
    const code = await runTool('oxlint', 'oxlint', ['--type-aware', '--deny-warnings', '--report-unused-disable-directives', ...extra]);
    return single(faults.length > 0 ? 1 : code);
  },

  async unit() {
    const adapter = await findAdapter(ensureBrowser);
    console.log(`WebGPU adapter: ${adapter.name}${adapter.isSoftware ? ' (software)' : ''}`);
    const file = join(scratch, 'unit.json');
    const code = await runTool('vitest', 'vitest', ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...extra], adapter.env);
    return counted(code, file, (report) => ({
      passed: report.numPassedTests,
      // A file that does not load has no tests to fail.
      failed: report.numFailedTests + report.testResults.filter(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0).length,
      skipped: report.numPendingTests + report.numTodoTests,
    }));
  },

  async e2e() {
    const file = join(scratch, 'e2e.json');
    const env = {
      GIMBAL_BROWSER: await ensureBrowser(),
      GIMBAL_E2E_PORT: String(await freePort()),
      GIMBAL_E2E_OUT: join(scratch, 'page'),
      PLAYWRIGHT_JSON_OUTPUT_FILE: file,
      GIMBAL_EXPORTS: exportsFolder,
    };
    console.log(`Browser: ${env.GIMBAL_BROWSER}`);
    const code = await runTool('@playwright/test', 'playwright', ['test', '--reporter=list,json', ...extra], env);
    return counted(code, file, ({ stats, errors }) => ({
      passed: stats.expected + stats.flaky,
      failed: stats.unexpected + (stats.unexpected === 0 ? errors.length : 0),
      skipped: stats.skipped,
    }));
  },

  interop,
};

/** The Python half: left out, with the reason, where there is no Python, except where it was asked for by name. */
async function interop() {
  const { python, missing } = await ensurePython(only === 'interop' || process.env.CI === 'true');
  if (!python) {
    console.log(`Left out: ${missing}.`);
    return { passed: 0, failed: only === 'interop' ? 1 : 0, skipped: 1 };
  }
  const { env } = await findAdapter(ensureBrowser);
  const file = join(scratch, 'interop.json');
  if ((await run(process.execPath, ['scripts/run.mjs', 'reference/export.ts', exportsFolder], { env })) !== 0) return { passed: 0, failed: 1 };
  const code = await run(python, ['reference/check_export.py', exportsFolder, file]);
  return counted(code, file, (report) => report);
}

async function runStage(name) {
  console.log(`\n== ${name} ==`);
  const start = performance.now();
  let counts = { passed: 0, failed: 1 };
  try {
    counts = await stages[name]();
  } catch (error) {
    console.error(error.message);
  }
  return { name, skipped: 0, ...counts, seconds: (performance.now() - start) / 1000 };
}

function summarise(results) {
  const row = (...cells) => cells.map((cell, column) => (column === 0 ? cell.padEnd(8) : cell.padStart(9))).join('');
  console.log(`\n${row('stage', 'passed', 'failed', 'skipped', 'seconds')}`);
  for (const { name, passed, failed, skipped, seconds } of results) console.log(row(name, `${passed}`, `${failed}`, `${skipped}`, seconds.toFixed(1)));
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed`);
  return sum('failed') === 0 && sum('passed') > 0;
}

if (only !== undefined && !(only in stages)) {
  console.error(`There is no stage ${only}; there are ${Object.keys(stages).join(', ')}.`);
  process.exit(1);
}
const results = [];
try {
  await ensureInstalled();
  for (const name of only === undefined ? Object.keys(stages) : [only]) results.push(await runStage(name));
} catch (error) {
  console.error(error.message);
  results.push({ name: 'install', passed: 0, failed: 1, skipped: 0, seconds: 0 });
}
process.exitCode = summarise(results) ? 0 : 1;
rmSync(scratch, { recursive: true, force: true });
