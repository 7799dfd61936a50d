/**
 * @file The engine's one public entry: open a model, encode, fine-tune step by step, evaluate, decompose, measure drift,
 * generate, export. It takes a GPUDevice, knows no page, and runs the same in a worker and in Node.
 *
 *     const engine = createEngine(await requestGpu(navigator.gpu));
 *     const lab = await engine.open(files, { precision: 'bf16' });      // a Hugging Face folder
 *     const run = await lab.fineTune({ ...settings, method: 'rpsft', examples: lab.tokenise(dataset, 128) });
 *     while (run.step < 300) { run.submitStep(); if (run.step % 10 === 0) console.log(await run.readMetrics()); }
 *     const files = await lab.exportFolder(run.weights, card);
 */
import type { JsonObject, ModelFiles } from './formats/folder.ts';
import { readModelFolder } from './formats/folder.ts';
import type { BufferCategory } from './gpu/buffers.ts';
import { createContext } from './gpu/context.ts';
import type { Gpu } from './gpu/device.ts';
import type { FloatType } from './gpu/storedFloats.ts';
import { Lab } from './lab/lab.ts';
import type { LoadOptions } from './models/model.ts';
import { Model } from './models/model.ts';

export type { Gpu } from './gpu/device.ts';
export { GpuCommandError, GpuLostError, GpuMemoryError, GpuUnavailableError, requestGpu, wrapDevice } from './gpu/device.ts';
export type { FloatType } from './gpu/storedFloats.ts';
export type { ModelFiles } from './formats/folder.ts';
export type { LoadOptions } from './models/model.ts';
export type { ParameterBuffers } from './models/parameters.ts';
export type { WeightSet } from './models/weights.ts';
export type { LoraAdapter } from './formats/lora.ts';
export type { ExtractOptions, Extraction } from './spectral/extract.ts';
export type { MatrixDriftDetail } from './spectral/drift.ts';
export type { FisherAlignment, FisherOptions } from './spectral/fisher.ts';
export type { Cost, Measuring } from './spectral/measuring.ts';
export type { OutputDrift } from './spectral/outputDrift.ts';
export type { ProbeBaseline, ProbeMeter, ProbeSize } from './spectral/probeMeter.ts';
export type { RepresentationDrift, RepresentationOptions } from './spectral/representation.ts';
export type { Restored, RestoredPart } from './spectral/restore.ts';
export type { DecodeProgress } from './generation/generator.ts';
export type { ItemResult } from './evaluation/evaluator.ts';
export type { Decomposition } from './spectral/decompose.ts';
export type { TokenisedExample } from './data/tokenise.ts';
export { meanLoss } from './evaluation/evaluator.ts';
export type { StepRecord } from './training/optimizer.ts';
export type { Trial } from './gpu/trial.ts';
export type { RunPlan, RunSize, WayToFit } from './training/memory.ts';
export type { GrpoRecord, GrpoTrainer } from './training/grpo.ts';
export { METRICS_RING } from './training/trainer.ts';

export type { MethodId, ObjectiveId, PenaltyId } from './methods/registry.ts';
export type { AskedBases, BasesKeeper, BasesOrigin, KeptBasesFile, LabDecomposition } from './lab/bases.ts';
export type { FineTune } from './lab/fineTune.ts';
export type { LogitsOptions } from './lab/lab.ts';
export { Lab } from './lab/lab.ts';
export type { FineTuneSettings, LoraOptions, ReinforceSettings } from './lab/settings.ts';
export { runSize } from './lab/settings.ts';
export type { FolderOptions } from './lab/weightFiles.ts';

/** The engine on a device; models opened on it share its compiled pipelines. */
export interface Engine {
  readonly gpu: Gpu;
  /** Bytes held on the device, by category. */
  readonly bytes: ReadonlyMap<BufferCategory, number>;
  /** Opens a model from the files of a Hugging Face folder. @throws with the file, field or tensor that is wrong */
  open(files: ModelFiles, options?: LoadOptions): Promise<Lab>;
  /** A fresh model of random weights with the tokenizer of another. @param files the folder of that other model */
  create(config: JsonObject, seed: number, files: ModelFiles, precision?: FloatType): Promise<Lab>;
}

export function createEngine(gpu: Gpu): Engine {
  const context = createContext(gpu);
  return {
    gpu,
    bytes: context.pool.bytes,
    async open(files, options) {
      const folder = await readModelFolder(files);
      return new Lab(context, await Model.load(context, folder.config, folder.weights, options), folder);
    },
    create: async (config, seed, files, precision) => new Lab(context, Model.create(context, config, seed, precision), { ...(await readModelFolder(files)), config }),
  };
}
