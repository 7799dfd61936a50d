/**
 * @file A scripted engine for tests of the page: answers every request of the protocol from formulas, in a time the test chooses. It knows
 * nothing of models; what it reports is only shaped like what a real run reports.
 */
import type { DatasetColumns } from '../data/mapping.ts';
import type {
  Accuracy, DatasetRole, DatasetSummary, Diagnosis, Drift, Estimate, Evaluation, ImportResult, LabApi, LabEvent, MatrixDrift, ModelSummary, PreviewRow,
  RecordedRun, RunConfig, RunId, RunSummary, StepMetrics, StreamEvent,
} from '../worker/protocol.ts';

export interface FakeOptions {
  /** Milliseconds of one step. */
  readonly stepMs: number;
  /** What connecting finds wrong. */
  readonly problem?: Diagnosis['problem'];
  /** A file of this name is refused at this row, until it is skipped. */
  readonly badRow?: number;
}

const model: ModelSummary = {
  name: 'Fake', parameters: 1_048_576, architecture: 'Llama, tied embeddings', layers: 4, hiddenSize: 128, heads: 4, keyValueHeads: 4, vocabulary: 1024, contextLength: 128, bytes: 4_194_304,
};

const sizes: Readonly<Record<DatasetRole, number>> = { train: 2000, heldOut: 200, outOfDomain: 640 };

function dataset(role: DatasetRole, name: string, origin: 'demo' | 'file', mapping: DatasetColumns): DatasetSummary {
  const rows = sizes[role];
  const counts = [0, 0, 0, 2, 7, 20, 31, 22, 11, 5, 2].map((share) => Math.round((share * rows) / 100));
  return {
    role, name, origin, mapping, rows, shape: 'GSM8K', columns: ['question', 'answer'], tokens: rows * 44, trainedTokens: mapping.completion === 'answer' ? rows * 19 : 0,
    firstRow: { question: 'Otto has 49 books and buys 20 more. How many books has Otto now?', answer: '49 + 20 = 69 #### 69' },
    truncatedRows: origin === 'file' ? 12 : 0, longest: 74, duplicates: origin === 'file' ? 3 : 0,
    overlap: role === 'train' ? { heldOut: 0, outOfDomain: 0 } : { train: 0 }, lengths: { width: 8, counts }, warnings: [], milliseconds: 40,
  };
}

const demoMapping: DatasetColumns = { prompt: 'question', completion: 'answer' };
const demo = (): readonly DatasetSummary[] => [
  dataset('train', 'demo-train.jsonl', 'demo', demoMapping),
  dataset('heldOut', 'demo-held-out.jsonl', 'demo', demoMapping),
  dataset('outOfDomain', 'demo-out-of-domain.jsonl', 'demo', demoMapping),
];

/** A repeatable noise in [-0.5, 0.5]. */
const noise = (seed: number): number => {
  const value = Math.sin(seed * 12.9898) * 43_758.5453;
  return value - Math.floor(value) - 0.5;
};

const accuracy = (share: number, items: number): Accuracy => {
  const correct = Math.round(Math.min(1, Math.max(0, share)) * items);
  const half = 1.96 * Math.sqrt((share * (1 - share) + 0.25 / items) / items);
  return { correct, items, low: Math.max(0, correct / items - half), high: Math.min(1, correct / items + half) };
};

/** How much a method forgets at the end. */
const forgetting: Readonly<Record<RunConfig['method'], number>> = { sft: 0.31, rpsft: 0.15, l2sp: 0.12 };

function evaluationAt(step: number, { method, steps, evaluationItems }: RunConfig): Evaluation {
  const progress = step / steps;
  const items = step === 0 || step === steps ? 200 : evaluationItems;
  const out = 0.952 - forgetting[method] * progress ** 1.4;
  const groups = ['Knowledge', 'Skills', 'Instructions', 'Arithmetic'].map((group, index) => ({ group, ...accuracy(out + noise(step + index) * 0.06, 60 + 40 * index) }));
  return {
    step, heldOutLoss: 2.6 * Math.exp(-4 * progress) + 0.1, groups,
    inDomain: accuracy(1 / (1 + Math.exp(10 * (0.55 - progress))) - 0.004, items), outOfDomain: accuracy(out, step === steps || step === 0 ? 642 : items),
  };
}

function stepAt(step: number, { method, learningRate, warmupSteps, batchSize }: RunConfig): StepMetrics {
  return {
    step, loss: 5 * Math.exp(-step / 60) + 0.15 + noise(step) * 0.05, penalty: method === 'sft' ? 0 : 0.01 + noise(step + 7) * 0.004,
    gradientNorm: 8 * Math.exp(-step / 20) + 1 + noise(step + 3) * 0.4, learningRate: learningRate * Math.min(1, step / Math.max(1, warmupSteps)),
    trainedTokens: batchSize * 19, tokensPerSecond: 7500 + noise(step + 1) * 900, skipped: false,
  };
}

const modules = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

function driftAt(step: number, { method, steps, rankFraction }: RunConfig): Drift {
  const turn = (step / steps) * (method === 'sft' ? 12 : 6);
  const matrix = (name: string, module: string, shape: readonly [number, number], layer?: number): MatrixDrift => {
    const k = Math.max(1, Math.round(Math.min(...shape) * rankFraction));
    const angles = Array.from({ length: k }, (_, index) => turn * ((index + 1) / k) * (1 + noise(index + (layer ?? 9) * 31 + module.length) * 0.5) * 2);
    const alignment = Math.max(0, 1 - turn / 60 + noise(module.length + (layer ?? 0)) * 0.1);
    const sigma0 = Array.from({ length: k }, (_, index) => 6 * Math.exp(-index / 20));
    return {
      name, module, shape, k, leftAngles: angles, rightAngles: angles.map((angle) => angle * 0.8), vectorAlignment: alignment, matchedAlignment: Math.min(1, alignment + 0.05),
      block: { share: method === 'sft' ? 0.04 : 0.001, diagonal: 0.002, offDiagonal: method === 'sft' ? 0.03 : 0.0005, chance: (k * k) / (shape[0] * shape[1]) },
      sigma0, sigma: sigma0.map((value, index) => value * (1 + (noise(index) * step) / steps / 30)), relativeChange: (0.1 * step) / steps, ...(layer === undefined ? {} : { layer }),
    };
  };
  const layers = Array.from({ length: model.layers }, (_, layer) =>
    modules.map((module) => matrix(`model.layers.${layer}.${module}.weight`, module, module.includes('proj') && /gate|up/.test(module) ? [352, 128] : [128, 128], layer)),
  );
  return { step, matrices: [matrix('model.embed_tokens.weight', 'embed_tokens', [model.vocabulary, 128]), ...layers.flat()] };
}

const previewTokens = (row: number): PreviewRow['tokens'] => {
  const prompt = `Otto has ${40 + (row % 50)} books and buys 20 more. How many books has Otto now?`.split(/(?= )/);
  const answer = `${40 + (row % 50)} + 20 = ${60 + (row % 50)} #### ${60 + (row % 50)}`.split(/(?= )/);
  return [
    { text: '<s>', id: 0, trained: false, special: true },
    ...prompt.map((text, id) => ({ text, id, trained: false, special: false })),
    { text: '\n', id: 9, trained: false, special: false },
    ...answer.map((text, id) => ({ text, id, trained: true, special: false })),
    { text: '</s>', id: 1, trained: true, special: true },
  ];
};

const wait = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/** An engine that follows the protocol; each call makes one with its own state. */
export function fakeLab({ stepMs, problem, badRow }: FakeOptions): LabApi {
  let port: MessagePort | undefined;
  let datasets = demo();
  let live: { readonly id: RunId; readonly config: RunConfig; step: number; paused: boolean; stopped: boolean } | undefined;
  let runs = 0;
  const recorded = new Map<RunId, { readonly summary: RunSummary; readonly events: LabEvent[] }>();
  const send = (event: LabEvent): void => {
    port?.postMessage(event);
    if ('run' in event && event.run !== undefined) recorded.get(event.run)?.events.push(event);
  };
  const replace = (next: DatasetSummary): DatasetSummary => {
    datasets = datasets.map((old) => (old.role === next.role ? next : old));
    return next;
  };

  const advance = (): void => {
    if (live === undefined) return;
    const { id, config } = live;
    live.step++;
    send({ type: 'steps', run: id, steps: [stepAt(live.step, config)] });
    send({ type: 'phase', run: id, phase: 'train', done: live.step, total: config.steps, unit: 'steps' });
    if (live.step % config.evaluateEvery === 0 || live.step === config.steps) send({ type: 'evaluation', run: id, evaluation: evaluationAt(live.step, config) });
    if (live.step % config.driftEvery === 0) send({ type: 'drift', run: id, drift: driftAt(live.step, config) });
  };

  const train = async (run: NonNullable<typeof live>): Promise<void> => {
    const { id, config } = run;
    for (const [phase, unit, total] of [['weights', 'bytes', model.bytes], ['compile', 'kernels', 42], ['decompose', 'matrices', 29], ['evaluate-base', 'items', 842]] as const) {
      send({ type: 'phase', run: id, phase, done: 0, total, unit });
      await wait(stepMs * 4);
      send({ type: 'phase', run: id, phase, done: total, total, unit });
    }
    send({ type: 'evaluation', run: id, evaluation: evaluationAt(0, config) });
    send({ type: 'drift', run: id, drift: driftAt(0, config) });
    send({ type: 'state', run: id, state: 'running' });
    while (run.step < config.steps && !run.stopped) {
      await wait(stepMs);
      if (!run.paused && !run.stopped) advance();
    }
    if (live !== run) return;
    live = undefined;
    send({ type: 'phase', run: id, phase: 'save', done: 1, total: 1, unit: 'items' });
    send({ type: 'state', run: id, state: run.stopped ? 'stopped' : 'finished' });
  };

  return {
    async connect(events) {
      port = events;
      await wait(stepMs);
      return {
        ...(problem === undefined ? { adapter: { name: 'Fake adapter', software: false, features: [], limits: { maxStorageBufferBindingSize: 134_217_728 } } } : { problem }),
        report: 'A scripted engine for tests.',
      };
    },
    async openBuiltIn() {
      send({ type: 'phase', phase: 'weights', done: model.bytes / 2, total: model.bytes, unit: 'bytes' });
      await wait(stepMs);
      return { model, datasets };
    },
    async importFile(role, file, skipRows): Promise<ImportResult> {
      await wait(stepMs);
      if (badRow !== undefined && !skipRows.includes(badRow)) {
        return { problem: { file: file.name, row: badRow, what: `Row ${badRow}: the line ends inside a string, at character 288.`, stillHolds: 'The rows before it read well. The demo data is still loaded.', canSkip: true } };
      }
      return { dataset: replace(dataset(role, file.name, 'file', demoMapping)) };
    },
    useDemoData: () => Promise.resolve((datasets = demo())),
    setMapping: (role, mapping) => Promise.resolve({ dataset: replace({ ...dataset(role, datasets.find((old) => old.role === role)?.name ?? '', 'file', mapping) }) }),
    preview: (role, from, count) =>
      Promise.resolve(
        Array.from({ length: Math.min(count, sizes[role] - from + 1) }, (_, index) => {
          const row = from + index;
          return { row, tokens: previewTokens(row), truncated: false, prompt: `Otto has ${40 + (row % 50)} books and buys 20 more. How many books has Otto now?`, expected: String(60 + (row % 50)) };
        }),
      ),
    async estimate(config, probe): Promise<Estimate> {
      if (probe) await wait(stepMs * 6);
      const k = Math.max(1, Math.round(128 * config.rankFraction));
      const bases = config.method === 'rpsft' ? 2_600_000 * config.rankFraction : 0;
      return {
        bytes: [
          { category: 'weights', bytes: model.bytes },
          { category: 'pretrained', bytes: config.method === 'sft' ? 0 : model.bytes },
          { category: 'gradients', bytes: model.bytes },
          { category: 'moments', bytes: 2 * model.bytes },
          { category: 'activations', bytes: config.batchSize * 1_700_000 },
          { category: 'logits', bytes: 1_050_000 },
          { category: 'bases', bytes: bases },
        ],
        ...(probe ? { seconds: (config.steps * stepMs) / 1000 } : {}),
        tokensPerStep: config.batchSize * 44, epochs: (config.steps * config.batchSize) / sizes.train,
        rank: { least: k, most: k, degenerate: config.rankFraction === 1 ? ['model.layers.0.self_attn.q_proj.weight', 'model.layers.0.self_attn.k_proj.weight'] : [] },
      };
    },
    start(config): Promise<RunSummary> {
      const id = `run-${++runs}`;
      live = { id, config, step: 0, paused: false, stopped: false };
      const summary: RunSummary = { id, config, state: 'preparing', model: model.name, dataset: datasets[0]?.name ?? '', startedAt: '2026-01-01T00:00:00Z', completedSteps: 0 };
      recorded.set(id, { summary, events: [] });
      void train(live);
      return Promise.resolve(summary);
    },
    pause() {
      if (live === undefined) return Promise.reject(new Error('No run is going on.'));
      live.paused = true;
      send({ type: 'state', run: live.id, state: 'paused' });
      return Promise.resolve();
    },
    resume() {
      if (live === undefined) return Promise.reject(new Error('No run is going on.'));
      live.paused = false;
      send({ type: 'state', run: live.id, state: 'running' });
      return Promise.resolve();
    },
    stepOnce: () => Promise.resolve(advance()),
    stop() {
      if (live !== undefined) live.stopped = true;
      return Promise.resolve();
    },
    removeRun: () => Promise.resolve(),
    async ask(_prompt, columns, options, stream) {
      const words = [' 49', ' +', ' 20', ' =', ' 69', ' ####', ' 69'];
      for (let place = 0; place < words.length && place < options.maxNewTokens; place++) {
        await wait(stepMs);
        columns.forEach((column, index) => {
          const differs = column !== 'base' && place > 3;
          const event: StreamEvent = { type: 'token', column: index, id: differs ? 100 + place : place, text: differs ? ' 71' : (words[place] ?? ''), probability: 0.4 + 0.6 / (place + 1) };
          stream.postMessage(event);
        });
      }
      columns.forEach((_, column) => stream.postMessage({ type: 'done', column, reason: 'end' } satisfies StreamEvent));
    },
    stopAsking: () => Promise.resolve(),
    alternatives: () => Promise.resolve([0.5, 0.3, 0.1, 0.05, 0.02].map((probability, index) => ({ text: ` ${index + 5}`, probability }))),
    exportRun: () =>
      Promise.resolve({
        fileName: 'fake.zip', blob: new Blob(['fake']), files: [{ name: 'model.safetensors', bytes: model.bytes }, { name: 'config.json', bytes: 700 }],
        verification: [{ check: 'Names and shapes match config.json', passed: true, detail: '' }, { check: 'Logits on 3 prompts', passed: true, detail: 'largest difference 0' }],
      }),
    record: (): Promise<RecordedRun> =>
      Promise.resolve({
        format: 1, recordedOn: { adapter: 'Fake adapter', date: '2026-01-01', command: 'none' }, model, datasets,
        runs: [...recorded.values()].map(({ summary, events }) => ({ summary: { ...summary, state: 'finished', completedSteps: summary.config.steps }, events })),
      }),
  };
}
