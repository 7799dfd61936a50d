/** @file A run as files to take home, and the proof that they are right: read back, reloaded, logits compared. */
import type { DecodeProgress, Engine, Lab, ModelFiles, WeightSet } from '../engine.ts';
import type { WriteFile } from '../formats/folder.ts';
import type { BaseModel, LoraAdapter } from '../formats/lora.ts';
import { writeMlxAdapter } from '../formats/mlx.ts';
import { writePeftAdapter } from '../formats/peft.ts';
import type { RunPlan } from '../formats/trainerState.ts';
import { writeMetricsCsv, writeMetricsLines, writeTrainerState } from '../formats/trainerState.ts';
import { unzipFiles, zipFiles } from '../formats/zip.ts';
import { addedPenalty } from '../methods/registry.ts';
import { AdaptedWeights } from '../models/adapter.ts';
import { writeLogits } from './comparedLogits.ts';
import { modelCard } from './modelCard.ts';
import type { ExportOptions, ExportResult } from './protocol.ts';
import { historyOf } from './records.ts';
import type { RunMaterial } from './runMaterial.ts';
import type { Run } from './runs.ts';
import { verify } from './verifying.ts';

/** Facts that the model card and run.json state. */
export interface ExportFacts {
  /** The WebGPU adapter. */
  readonly adapter: string;
  readonly dataHashes: Readonly<Record<string, string>>;
  readonly base: { readonly name: string; readonly revision?: string | undefined };
  /** Whether prompts are conversations. */
  readonly chat: boolean;
}

/** What an export needs of a run. */
export type ExportedRun = Pick<Run, 'config' | 'startedAt' | 'completedSteps' | 'summary' | 'events' | 'weights'> & { readonly material: Pick<RunMaterial, 'lab' | 'train' | 'datasetName'> };

/** Where an export goes. */
export interface ExportPlace {
  /** Makes a file of pieces, on disk. */
  readonly writeFile: WriteFile;
  /** One zip of everything; else every file goes through `writeFile`, which then stands for the folder that a person chose. */
  readonly zip: boolean;
  readonly onProgress?: (done: number, total: number) => void;
  /** Of the tokens by which it is verified. */
  readonly onVerifying?: (progress: DecodeProgress) => void;
  readonly signal?: AbortSignal;
}

/** Tokenizer and template as they came with the model: what an adapter was trained with. */
const TEXT_FILES = /^(tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|vocab\.json|merges\.txt|chat_template\.jinja)$/;

/**
 * Writes a run, reads it again from where it was written, and compares it with the live model. No more than one tensor is in memory at a time.
 * @throws when the run has no weights, when the rank is too large for its layers, when the disk is full, or with the reason of `signal`; the run stays as it is
 */
export async function exportRun(engine: Engine, run: ExportedRun, options: ExportOptions, facts: ExportFacts, place: ExportPlace): Promise<ExportResult> {
  const { weights } = run;
  if (!weights) throw new Error('This run has no weights to export: it was discarded or has failed.');
  const { lab } = run.material;
  const base: BaseModel = { ...facts.base, modelType: String(lab.folder.config['model_type']), tensors: lab.folder.weights.tensors };
  const { adapter, retainedEnergy } = options.kind === 'model' ? {} : await adapterOf(lab, weights, options, place);
  const card = cardOf(run, options, facts, adapter, retainedEnergy);

  const onDisk = new Map<string, Blob>();
  const writeFile: WriteFile = async (path, pieces) => {
    place.signal?.throwIfAborted();
    const file = await place.writeFile(path, pieces);
    onDisk.set(path, file);
    return file;
  };
  const files = new Map(adapter ? adapterFiles(lab, options, adapter, base, card) : await lab.exportFolder(weights, card, { ...place, dtype: options.dtype, writeFile }));
  for (const [path, text] of Object.entries(logFiles(run, options, facts))) files.set(path, new Blob([text]));
  // An extracted adapter says something else than the run did.
  if (retainedEnergy === undefined) files.set('logits.json', new Blob([await writeLogits(run, place.signal)]));

  const name = exportName(run, options);
  const fileName = place.zip ? `${name}.zip` : name;
  if (place.zip) await writeFile(fileName, piecesOf(zipFiles(files, name)));
  else for (const [path, blob] of files) if (!onDisk.has(path)) files.set(path, await writeFile(path, piecesOf(blob.stream())));
  const read = async (): Promise<ModelFiles> => (place.zip ? withinFolder(await unzipFiles(onDisk.get(fileName)!, fileName), name) : files);

  const sizes = new Map([...files].map(([path, { size }]) => [path, size]));
  return {
    fileName,
    ...(place.zip ? { file: new File([onDisk.get(fileName)!], fileName, { type: 'application/zip' }) } : {}),
    files: [...sizes].map(([path, bytes]) => ({ name: path, bytes })),
    ...(retainedEnergy === undefined ? {} : { retainedEnergy }),
    verification: await verify(engine, run, { options, weights, adapter, retainedEnergy, base, sizes }, read, { signal: place.signal, onProgress: place.onVerifying }),
  };
}

/** Name of the zip or the folder. */
export const exportName = ({ config, completedSteps }: Pick<Run, 'config' | 'completedSteps'>, { kind }: ExportOptions): string =>
  ['gimbal', ...(config.reinforce === undefined ? [] : ['grpo']), ...(config.reinforce !== undefined && config.startFrom === undefined ? [] : [config.method]), ...[addedPenalty(config) ?? []].flat(), `${completedSteps}-steps`, ...(kind === 'model' ? [] : [kind])].join('-');

/** The adapter of a LoRA run, or what comes nearest to the change of all linear layers. */
async function adapterOf(lab: Lab, weights: WeightSet, { rank }: ExportOptions, { onProgress, signal }: ExportPlace): Promise<{ readonly adapter: LoraAdapter; readonly retainedEnergy?: number }> {
  if (weights instanceof AdaptedWeights) return { adapter: await weights.matrices() };
  const targets = [...new Set(lab.model.architecture.linears.map(({ module }) => module.slice(module.lastIndexOf('.') + 1)))];
  const { adapter, retained } = await lab.extract(weights, { rank, targets }, (done, total) => {
    signal?.throwIfAborted();
    onProgress?.(done, total);
  });
  return { adapter, retainedEnergy: retained };
}

function cardOf(run: ExportedRun, options: ExportOptions, facts: ExportFacts, adapter: LoraAdapter | undefined, retainedEnergy: number | undefined): string {
  return modelCard({
    ...facts,
    options,
    config: run.config,
    startedAt: run.startedAt,
    completedSteps: run.completedSteps,
    evaluations: run.events.flatMap((event) => (event.type === 'evaluation' ? [event.evaluation] : [])),
    start: run.events.find((event) => event.type === 'start')?.evaluation,
    datasetName: run.material.datasetName,
    retainedEnergy,
    ...(adapter ? { lora: { ...adapter.settings, modules: adapter.modules.length } } : {}),
  });
}

/** The two files of the adapter, with the tokenizer and template it was trained with. */
function adapterFiles(lab: Lab, { kind }: ExportOptions, adapter: LoraAdapter, base: BaseModel, card: string): ModelFiles {
  const written = kind === 'mlx' ? writeMlxAdapter(adapter, base, lab.model.config.numHiddenLayers) : writePeftAdapter(adapter, base);
  return new Map([['README.md', new Blob([card])], ...written, ...[...lab.folder.files].filter(([path]) => TEXT_FILES.test(path))]);
}

/** What a run logged, and what it was. */
function logFiles(run: ExportedRun, options: ExportOptions, facts: ExportFacts): Readonly<Record<string, string>> {
  const { config, events, material } = run;
  const history = historyOf(events);
  // A step of GRPO goes through some questions of the data, and learns from the answers to them.
  const { reinforce, batchSize, accumulation } = config;
  const plan: RunPlan = {
    maxSteps: config.steps,
    batchSize: reinforce?.prompts ?? batchSize,
    microBatchSize: Math.ceil((reinforce ? reinforce.prompts * reinforce.samples : batchSize) / accumulation),
    examples: material.train.length,
    evaluateEvery: config.evaluateEvery,
  };
  return {
    'run.json': `${JSON.stringify({ format: 1, ...run.summary, export: options, ...facts }, null, 2)}\n`,
    'metrics.jsonl': writeMetricsLines(history),
    'metrics.csv': writeMetricsCsv(history, plan),
    'trainer_state.json': writeTrainerState(history, plan),
  };
}

/** A stream as it can be written. */
export async function* piecesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const reader = stream.getReader();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value as Uint8Array<ArrayBuffer>;
  } finally {
    await reader.cancel();
  }
}

const withinFolder = (files: ModelFiles, folder: string): ModelFiles => new Map([...files].map(([path, blob]) => [path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path, blob]));
