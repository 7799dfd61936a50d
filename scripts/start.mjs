/**
 * @file `npm start`: installs what is missing, builds the page, serves it and opens it in a browser. The built page is served rather than
 * Vite's development server, so that what is measured is what is shipped. `--dev` serves the sources with hot reload instead.
 * Options: --dev, --no-open, --port=N (the next free one if taken), --out=FOLDER (of the build).
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { findBrowser } from './browser.mjs';
import { ensureInstalled } from './install.mjs';
import { root } from './tools.mjs';

const { values: options } = parseArgs({
  options: {
    dev: { type: 'boolean', default: false },
    'no-open': { type: 'boolean', default: false },
    port: { type: 'string', default: '5173' },
    out: { type: 'string', default: 'dist' },
  },
});

/** Vite's development server injects inline scripts, which the page's policy rightly refuses. */
const withoutPolicy = {
  name: 'without-content-security-policy',
  transformIndexHtml: (html) => html.replace(/<meta\s+http-equiv="Content-Security-Policy"[^>]*>/, ''),
};

async function serve() {
  const vite = await import('vite');
  // By number: `localhost` is unknown in some containers, and an IPv6 address without IPv6 in others.
  const at = { host: '127.0.0.1', port: Number(options.port) };
  if (options.dev) {
    const server = await vite.createServer({ root, plugins: [withoutPolicy], server: at });
    return server.listen();
  }
  const build = { outDir: options.out, emptyOutDir: true };
  await vite.build({ root, build, logLevel: 'warn' });
  return vite.preview({ root, build, preview: at });
}

/** Opens the address in Chrome, Chromium or Edge if one is installed, because they have WebGPU; else in the default browser. */
function open(address) {
  const { platform, env } = process;
  const hasDisplay = platform !== 'linux' || ((env.DISPLAY || env.WAYLAND_DISPLAY) && process.getuid?.() !== 0);
  if (options['no-open'] || env.CI || !hasDisplay) return;
  const openers = { darwin: ['open'], win32: ['cmd', '/c', 'start', ''] };
  const browser = findBrowser();
  const [command, ...args] = browser ? [browser] : (openers[platform] ?? ['xdg-open']);
  const child = spawn(command, [...args, address], { detached: true, stdio: 'ignore' });
  child.on('error', () => console.log(`No browser could be opened. Open the address yourself.`));
  child.unref();
}

try {
  await ensureInstalled();
  const server = await serve();
  const [address] = server.resolvedUrls.local;
  console.log(`\nGimbal is ready. Stop it with Ctrl+C.\n${address}\n`);
  if (process.platform === 'linux') {
    console.log(
      'Gimbal needs WebGPU: Chrome, Chromium or Edge. If the page finds none on Linux, enable chrome://flags/#enable-unsafe-webgpu\n' +
        'and chrome://flags/#enable-vulkan, restart the browser, and see chrome://gpu for what it says about the driver.',
    );
  }
  open(address);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
