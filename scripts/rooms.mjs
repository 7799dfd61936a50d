/**
 * @file The rooms of src/ and the arrows between them: one table, checked on every import by the lint stage.
 * The linter's own import rules match the text of an import, not the pair of folders it joins, and would need thirteen lists of what is forbidden
 * to say what this table says once.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { root } from './tools.mjs';

const kernels = ['gpu', 'shaders'];
const files = ['formats', 'data'];
const networks = ['models', 'graph', ...kernels, ...files];
const fineTuning = ['methods', 'spectral', ...networks];
const lab = ['training', 'evaluation', 'generation', ...fineTuning];
const engine = ['lab', ...lab];

/** What each room may import besides itself. `type:room` allows `import type` only: nothing of that room then runs in this one. */
export const rooms = {
  app: ['worker', ...['engine', 'storage', ...engine].filter((room) => room !== 'shaders').map((room) => `type:${room}`)],
  worker: ['engine', 'storage', ...engine],
  engine,
  lab,
  training: ['evaluation', 'generation', ...fineTuning],
  evaluation: ['generation', ...fineTuning],
  generation: fineTuning,
  methods: ['spectral', ...networks],
  spectral: networks,
  models: ['graph', ...kernels, ...files],
  graph: kernels,
  gpu: ['shaders'],
  data: ['formats'],
  formats: ['storage'],
  storage: [],
};

/** Packages that belong to the page: the engine takes a GPUDevice and runs the same in a worker and in Node. */
const pagePackages = /^(react|react-dom|recharts|zustand|lucide-react)(\/|$)/;

/** Each import, export from, dynamic import and worker address of a source text: where it points, and whether it is a type only. */
export function importsOf(source) {
  const patterns = [
    /^(?:import|export)\s+(?<type>type\b(?!\s*,|\s+from))?[^'";]*?\bfrom\s*'(?<path>[^']+)'/gm,
    /^import\s*'(?<path>[^']+)'/gm,
    /\b(?:import|import\.meta\.glob)\(\s*'(?<path>[^']+)'/g,
    /\bnew URL\(\s*'(?<path>[^']+)',\s*import\.meta\.url/g,
  ];
  return patterns.flatMap((pattern) => [...source.matchAll(pattern)].map(({ groups }) => ({ path: groups.path, isType: groups.type !== undefined })));
}

/** The room of a path relative to the repository: the folder under src/, 'engine' for its public entry, 'shaders', or undefined outside. */
export function roomOf(path) {
  const [top, folder] = path.split('/');
  if (top === 'shaders') return 'shaders';
  return top !== 'src' ? undefined : /^engine(\.test)?\.ts$/.test(folder) ? 'engine' : folder;
}

/** A room's testing.ts holds what its tests and those above share. */
const isTest = (path) => /\.test\.tsx?$|\/testing\.tsx?$/.test(path);

/** What is wrong with the imports of one file, one sentence each. Tests may use what is below them, Node, and files outside src/. */
export function faultsIn(path, source) {
  const room = roomOf(path);
  const test = isTest(path);
  if (!(room in rooms)) return [`${path}: src/${room} has no place in the table of rooms (scripts/rooms.mjs)`];
  return importsOf(source).flatMap(({ path: target, isType }) => {
    const refuse = (why) => [`${path}: imports ${target}; ${why}`];
    if (!/^[./]/.test(target)) {
      if (target.startsWith('node:') && !test) return refuse('what is in src/ runs in a browser');
      return pagePackages.test(target) && room !== 'app' ? refuse(`it belongs to app, not to ${room}`) : [];
    }
    const file = target.startsWith('/') ? target.slice(1) : posix.join(posix.dirname(path), target);
    if (!test && isTest(file)) return refuse('only tests may use it');
    const there = roomOf(file);
    if (there === room || (test && there === undefined)) return [];
    const allowed = rooms[room];
    if (allowed.includes(there) || ((isType || test) && allowed.includes(`type:${there}`))) return [];
    if (allowed.includes(`type:${there}`)) return refuse(`${room} may import only types from ${there}`);
    return refuse(`${room} may not import from ${there ?? 'outside src/'}`);
  });
}

/** The faults of every TypeScript file under src/. */
export function checkRooms() {
  const paths = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .map((path) => `src/${path.replaceAll('\\', '/')}`)
    .filter((path) => /\.tsx?$/.test(path) && !path.endsWith('.d.ts'));
  return paths.flatMap((path) => faultsIn(path, readFileSync(join(root, path), 'utf8')));
}
