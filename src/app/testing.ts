/**
 * @file A scripted engine for tests of the page: answers every request of the protocol from formulas, in a time the test chooses. It knows
 * nothing of models; what it reports is only shaped like what a real run reports.
 */
import type {
  DatasetSummary, Diagnosis, Estimate, EvaluatedItem, EvaluationReport, EvaluationRequest, ExportResult, Fit, HubInfo, HubRequest, ImportResult, KeptBases, KeptFile, LabApi, LabEvent, MemoryCategory, Opened, Precision,
  RecordedRun, RunConfig, RunId, RunSummary, Score, StorageReport, StoredRun, StreamEvent, WayToFit,
} from '../worker/protocol.ts';
import { fakeRunStore } from './compare/testing.ts';
import { dataset, demo, demoMapping, previewTokens, sizes } from './data/testing.ts';
import { defaultConfig } from './method/defaults.ts';
import { builtIn, commit, hubBytes, hubFiles, openedModel } from './model/testing.ts';
import { fakeDetail, fakeProbe } from './spectrum/probes/testing.ts';
import { driftAt, evaluationAt, stepAt } from './train/testing.ts';

export interface FakeOptions {
  /** Milliseconds of one step. */
  readonly stepMs: number;
  /** What connecting finds wrong. */
  readonly problem?: Diagnosis['problem'];
  /** A file of this name is refused at this row, until it is skipped. */
  readonly badRow?: number;
  /** Bytes at which a trial allocation stops; without it everything fits. */
  readonly memory?: number;
  /** What the hub answers in place of a model. */
  readonly hubProblem?: string;
  /** Runs that the browser has kept from before, the newest first. */
  readonly stored?: readonly StoredRun[];
  /** What was open when the page was left; without it the built-in model. */
  readonly reopened?: Opened;
  /** Files that the browser keeps. */
  readonly files?: readonly KeptFile[];
  /** Singular bases that it keeps. */
  readonly bases?: readonly KeptBases[];
}

/** A change that makes a run smaller, as the worker words it. */
const way = (change: WayToFit['change'], label: string, cost: string, saves: number, needed: number, config: RunConfig, precision: Precision): WayToFit => ({
  change, label, cost, saves, total: needed - saves, config, precision,
});

const wait = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/** An engine that follows the protocol; each call makes one with its own state. */
export function fakeLab({ stepMs, problem, badRow, memory = Infinity, hubProblem, stored = [], reopened, files: keptFiles = [], bases: keptBases = [] }: FakeOptions): LabApi {
  let port: MessagePort | undefined;
  let datasets = demo();
  let model = builtIn;
  let cancelled = false;
  const cache = new Map<string, { readonly repo: string; bytes: number }>();
  let live: { readonly id: RunId; readonly config: RunConfig; step: number; paused: boolean; stopped: boolean } | undefined;
  let runs = 0;
  const recorded = new Map<RunId, { readonly summary: RunSummary; readonly events: LabEvent[] }>();
  const send = (event: LabEvent): void => {
    port?.postMessage(event);
    store.heard(event);
    if ('run' in event && event.run !== undefined) recorded.get(event.run)?.events.push(event);
  };
  let reading = { stopped: false };
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
    if (live.step % config.driftEvery === 0) send({ type: 'drift', run: id, drift: driftAt(live.step, config, model) });
  };

  const train = async (run: NonNullable<typeof live>): Promise<void> => {
    const { id, config } = run;
    for (const [phase, unit, total] of [['weights', 'bytes', model.bytes], ['compile', 'kernels', 42], ['decompose', 'matrices', 29], ['evaluate-base', 'items', 842]] as const) {
      send({ type: 'phase', run: id, phase, done: 0, total, unit });
      await wait(stepMs * 4);
      send({ type: 'phase', run: id, phase, done: total, total, unit });
    }
    send({ type: 'evaluation', run: id, evaluation: evaluationAt(0, config) });
    send({ type: 'drift', run: id, drift: driftAt(0, config, model) });
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

  const begin = (config: RunConfig, id: RunId): RunSummary => {
    live = { id, config, step: 0, paused: false, stopped: false };
    const summary: RunSummary = { id, config, state: 'preparing', model: model.name, dataset: datasets[0]?.name ?? '', startedAt: new Date(Date.UTC(2026, 0, 1) + recorded.size).toISOString(), completedSteps: 0 };
    recorded.set(id, { summary, events: [] });
    void train(live);
    return summary;
  };
  const store = fakeRunStore({ stored, send: (event) => send(event), begin, busy: () => live !== undefined, model: () => model.name, made: () => [...recorded.values()] });

  const storage = (): StorageReport => ({
    models: [...cache].map(([key, { repo, bytes }]) => ({ key, repo, commit, bytes, complete: bytes === hubBytes, lastUsed: '2026-11-20T09:00:00Z' })),
    usage: [...cache.values()].reduce((sum, { bytes }) => sum + bytes, 4_200_000), quota: 12_000_000_000,
  });

  const info = ({ repo }: HubRequest): HubInfo => {
    const cached = cache.get(repo)?.bytes ?? 0;
    return { repo, commit, bytes: hubBytes, cachedBytes: cached, storage: storage(), files: hubFiles.map(([path, bytes]) => ({ path, bytes, cachedBytes: Math.min(bytes, cached) })) };
  };

  /** Tells of a phase in tenths, until it is cancelled. */
  const phases = async (phase: 'download' | 'read-cache' | 'verify' | 'weights' | 'save' | 'evaluate' | 'import' | 'probe', from: number, total: number, unit: 'bytes' | 'items' | 'parts', onPart: (done: number) => void = () => {}): Promise<void> => {
    for (let part = 0; part <= 10; part++) {
      if (cancelled) throw new Error('It was cancelled.');
      const done = from + Math.round(((total - from) * part) / 10);
      onPart(done);
      send({ type: 'phase', phase, done, total, unit });
      await wait(stepMs);
    }
  };

  const bytesOf = (config: RunConfig, precision: Precision): readonly { readonly category: MemoryCategory; readonly bytes: number }[] => {
    const weights = model.parameters * 4;
    const trained = config.lora === undefined ? weights : config.lora.rank * 4 * model.linears.filter(({ name }) => config.lora?.targets.includes(name)).reduce((sum, linear) => sum + linear.count * model.hiddenSize + linear.weights / model.hiddenSize, 0);
    const tokens = (config.batchSize / config.accumulation) * config.maxLength;
    const ofLayer = tokens * model.hiddenSize * 4 * 16;
    return [
      { category: 'weights', bytes: precision === 'f32' || config.lora === undefined ? weights : weights / 2 },
      { category: 'pretrained', bytes: config.method === 'sft' || config.lora !== undefined ? 0 : weights },
      { category: 'adapter', bytes: config.lora === undefined ? 0 : trained },
      { category: 'gradients', bytes: trained },
      { category: 'moments', bytes: 2 * trained },
      { category: 'activations', bytes: config.recompute ? ofLayer + tokens * model.hiddenSize * 4 * model.layers : ofLayer * model.layers },
      { category: 'logits', bytes: 256 * model.vocabulary * 4 },
      { category: 'bases', bytes: config.method === 'rpsft' ? weights * 0.6 * config.rankFraction : 0 },
    ];
  };
  const sum = (config: RunConfig, precision: Precision): number => bytesOf(config, precision).reduce((total, { bytes }) => total + bytes, 0);

  const measured = ({ columns, items, measure }: EvaluationRequest): EvaluationReport['columns'] =>
    columns.map((column, index) => {
      const value = measure === 'perplexity' ? 6 + index : 0.5 + 0.1 * index;
      const score: Score = { value, items: items || 200, low: value * 0.9, high: value * 1.1 };
      return { column, score, groups: [{ group: 'Arithmetic', ...score }], ...(measure === 'choice' ? { normalised: score } : {}), ...(measure === 'generation' ? { stopRate: { ...score, value: 0.9, low: 0.85, high: 0.95 } } : {}) };
    });
  const reports = new Map<string, EvaluationReport>();
  const openBuiltIn = async (): Promise<Opened> => {
    send({ type: 'phase', phase: 'weights', done: model.bytes / 2, total: model.bytes, unit: 'bytes' });
    await wait(stepMs);
    model = builtIn;
    datasets = demo();
    return { model, datasets };
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
    openBuiltIn,
    reopen: () => (reopened === undefined ? openBuiltIn() : Promise.resolve(reopened)),
    keptFiles: () => Promise.resolve(keptFiles),
    keptBases: () => Promise.resolve(keptBases),
    forgetBases: (key) => Promise.resolve((keptBases = keptBases.filter((each) => each.key !== key))),
    forgetFile: (key) => Promise.resolve((keptFiles = keptFiles.filter((file) => file.key !== key))),
    async openFiles(files, precision) {
      cancelled = false;
      const paths = files.map(({ path }) => path);
      const name = paths[0]?.split('/')[0] ?? '';
      if (name.startsWith('broken')) throw new Error(`${name}/config.json: model_type is "mamba", which Gimbal does not know. It knows llama, qwen2, qwen3, gpt2 and gpt_neox.`);
      await phases('verify', 0, 100_000_000, 'bytes');
      if (paths.some((path) => path.endsWith('adapter_config.json'))) {
        // An adapter from elsewhere: its files say nothing of how it was trained.
        const config: RunConfig = { ...defaultConfig, lora: { rank: 8, alpha: 16, targets: ['q_proj', 'v_proj'], rsLora: false }, method: 'sft', steps: 0, evaluateEvery: 1, driftEvery: 0, evaluationItems: 0 };
        const id = `run-${++runs}`;
        const events: readonly LabEvent[] = [{ type: 'evaluation', run: id, evaluation: evaluationAt(300, { ...config, steps: 300 }) }, { type: 'state', run: id, state: 'finished' }];
        return { model, datasets, events, run: { id, config, state: 'finished', model: model.name, dataset: name, startedAt: '2026-01-01T00:00:00Z', completedSteps: 0, importedFrom: name } };
      }
      model = openedModel(name, 'files', precision);
      return { model, datasets };
    },
    async hubInfo(request) {
      await wait(stepMs);
      if (hubProblem !== undefined) throw new Error(hubProblem);
      return info(request);
    },
    async openHub({ repo }, precision) {
      cancelled = false;
      const known = cache.get(repo) ?? { repo, bytes: 0 };
      cache.set(repo, known);
      if (known.bytes < hubBytes) {
        await phases('download', known.bytes, hubBytes, 'bytes', (done) => {
          known.bytes = done;
        });
      } else {
        await phases('read-cache', 0, hubBytes, 'bytes');
      }
      await phases('verify', 0, hubBytes, 'bytes');
      model = openedModel(repo, 'hub', precision);
      return { model, datasets };
    },
    cancelOpening() {
      cancelled = true;
      return Promise.resolve();
    },
    async setPrecision(precision) {
      cancelled = false;
      await phases('weights', 0, model.bytes, 'bytes');
      model = { ...model, precision };
      return { model, datasets };
    },
    storage: () => Promise.resolve(storage()),
    removeCached(key) {
      if (key === 'all') cache.clear();
      else cache.delete(key);
      return Promise.resolve(storage());
    },
    async importFile(role, file, skipRows): Promise<ImportResult> {
      const own = (reading = { stopped: false });
      await wait(stepMs);
      if (badRow !== undefined && !skipRows.includes(badRow)) {
        return { problem: { file: file.name, row: badRow, what: `Row ${badRow}: the line ends inside a string, at character 288.`, stillHolds: 'The rows before it read well. The demo data is still loaded.', canSkip: true } };
      }
      cancelled = false;
      await phases('import', 0, file.size, 'bytes', () => {
        if (own.stopped) throw new Error('The import was stopped.');
      });
      return { dataset: replace(dataset(role, file.name, 'file', demoMapping)), datasets };
    },
    cancelImport() {
      reading.stopped = true;
      return Promise.resolve();
    },
    useDemoData: () => Promise.resolve((datasets = demo())),
    setMapping: (role, mapping) => Promise.resolve({ dataset: replace({ ...dataset(role, datasets.find((old) => old.role === role)?.name ?? '', 'file', mapping) }), datasets }),
    preview: (role, from, count) =>
      Promise.resolve(
        Array.from({ length: Math.min(count, sizes[role] - from + 1) }, (_, index) => {
          const row = from + index;
          return { row, tokens: previewTokens(row), truncated: false, prompt: `Otto has ${40 + (row % 50)} books and buys 20 more. How many books has Otto now?`, expected: String(60 + (row % 50)) };
        }),
      ),
    async estimate(config, probe): Promise<Estimate> {
      if (probe) await wait(stepMs * 6);
      const k = Math.max(1, Math.round(model.hiddenSize * config.rankFraction));
      return {
        bytes: bytesOf(config, model.precision),
        warnings: [],
        ...(probe ? { seconds: (config.steps * stepMs) / 1000 } : {}),
        tokensPerStep: config.batchSize * 44, epochs: (config.steps * config.batchSize) / sizes.train,
        rank: { least: k, most: k, degenerate: config.rankFraction === 1 ? ['model.layers.0.self_attn.q_proj.weight', 'model.layers.0.self_attn.k_proj.weight'] : [] },
      };
    },
    async checkFit(config): Promise<Fit> {
      await wait(stepMs);
      const needed = sum(config, model.precision);
      if (needed <= memory) return { fits: true };
      const smaller = (change: WayToFit['change'], label: string, cost: string, edit: Partial<RunConfig>, precision = model.precision): WayToFit => {
        const changed = { ...config, ...edit };
        return way(change, label, cost, needed - sum(changed, precision), needed, changed, precision);
      };
      const targets = model.linears.map(({ name }) => name);
      const ways = [
        smaller('recompute', 'Recompute activations', 'steps slower', { recompute: true }),
        smaller('lora', 'Use LoRA, r 16', 'trains 4.9 M parameters', { lora: { rank: 16, alpha: 32, targets, rsLora: false } }),
        smaller('micro-batch', 'One row at a time', 'same result', { accumulation: config.batchSize }),
        smaller('half', 'Keep the model in bf16', 'frozen matrices rounded', {}, 'bf16'),
      ].filter(({ saves }) => saves > 0);
      return { fits: false, needed, stoppedAt: memory, message: 'The adapter refused a buffer for activations.', ways };
    },
    start: (config) => Promise.resolve(begin(config, `run-${++runs}`)),
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
    stop(keep) {
      if (live === undefined) return Promise.reject(new Error('No run is going on.'));
      live.stopped = true;
      return keep ? Promise.resolve() : store.api.removeRun(live.id);
    },
    ...store.api,
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
    async probe(request) {
      cancelled = false;
      await phases('probe', 0, 64, 'parts');
      return fakeProbe(request, { drift: driftAt(1, { ...defaultConfig, steps: 1 }, model), layers: model.layers });
    },
    cancelProbe() {
      cancelled = true;
      return Promise.resolve();
    },
    matrixDetail(_run, name) {
      const matrix = driftAt(1, { ...defaultConfig, steps: 1 }, model).matrices.find((one) => one.name === name);
      return matrix === undefined ? Promise.reject(new Error(`${name} has no singular basis.`)) : Promise.resolve(fakeDetail(matrix));
    },
    async evaluate(request) {
      cancelled = false;
      await phases('evaluate', 0, request.items || 200, 'items');
      const report: EvaluationReport = { id: `evaluation-${reports.size + 1}`, request, dataset: datasets.find(({ role }) => role === request.role)?.name ?? '', columns: measured(request), seconds: 2 };
      reports.set(report.id, report);
      return report;
    },
    cancelEvaluation() {
      cancelled = true;
      return Promise.resolve();
    },
    evaluatedItems(id, which, from, count) {
      const columns = reports.get(id)?.request.columns ?? [];
      const all = Array.from({ length: 40 }, (_, row): EvaluatedItem => ({
        row: row + 1, group: 'Arithmetic', prompt: `${row} + 20 =`, expected: String(row + 20),
        answers: columns.map((column, index) => ({ column, score: (row + index) % 2, given: [`${row} + 20 = ${row + 20 + ((row + index) % 2)}`], extracted: [String(row + 20 + ((row + index) % 2))] })),
      }));
      const failing = ({ answers }: EvaluatedItem): boolean => answers.some(({ score }) => score === 0);
      const chosen = which === 'all' ? all : all.filter((item) => failing(item) && (which === 'failures' || item.answers.some(({ score }) => score === 1)));
      return Promise.resolve({ total: chosen.length, items: chosen.slice(from, from + count) });
    },
    async exportRun(_run, { kind, dtype, rank }, folder): Promise<ExportResult> {
      cancelled = false;
      const bytes = kind === 'model' ? model.parameters * (dtype === 'F32' ? 4 : 2) : rank * 4 * 30_000;
      await phases('save', 0, bytes, 'bytes');
      await phases('verify', 0, 3, 'items');
      const weights = kind === 'model' ? 'model.safetensors' : kind === 'peft' ? 'adapter_model.safetensors' : 'adapters.safetensors';
      return {
        fileName: `gimbal-fake-${kind}.zip`,
        ...(folder === undefined ? { file: new File(['fake'], `gimbal-fake-${kind}.zip`) } : {}),
        ...(kind === 'model' ? {} : { retainedEnergy: 0.914 }),
        files: [{ name: weights, bytes }, { name: kind === 'model' ? 'config.json' : 'adapter_config.json', bytes: 700 }, { name: 'README.md', bytes: 4100 }, { name: 'metrics.jsonl', bytes: 68_000 }],
        verification: [{ check: 'Header: offsets sorted, no hole, no overlap', passed: true, detail: '' }, { check: 'Names and shapes match config.json', passed: true, detail: '' }, { check: 'Logits on 3 prompts', passed: true, detail: dtype === 'F32' ? 'largest difference 0' : 'largest difference 0.13, from rounding' }],
      };
    },
    cancelExport() {
      cancelled = true;
      return Promise.resolve();
    },
    record: (): Promise<RecordedRun> =>
      Promise.resolve({
        format: 1, recordedOn: { adapter: 'Fake adapter', date: '2026-01-01', command: 'none' }, model, datasets,
        runs: [...recorded.values()].map(({ summary, events }) => ({ summary: { ...summary, state: 'finished', completedSteps: summary.config.steps }, events })),
      }),
  };
}
