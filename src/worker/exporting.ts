/** @file A run as files to take home, and the proof that they are right: reopened, reloaded, logits compared. */
import type { Engine, Lab, ModelFiles, ParameterBuffers } from '../engine.ts';
import { readModelFolder, withoutCommonFolder } from '../formats/folder.ts';
import { unzipFiles, zipFiles } from '../formats/zip.ts';
import { modelCard } from './modelCard.ts';
import type { ExportResult, VerifyItem } from './protocol.ts';
import type { Run } from './runs.ts';

/** Items whose losses are compared between the live and the reloaded weights. */
const COMPARED_ITEMS = 3;

/** Facts of the data that the model card states. */
export interface ExportFacts {
  readonly adapter: string;
  readonly dataHashes: Readonly<Record<string, string>>;
}

/** Writes a run into a zip of a Hugging Face folder, then opens that zip and checks it. */
export async function exportRun(engine: Engine, run: Run, facts: ExportFacts): Promise<ExportResult> {
  const { lab } = run.material;
  const weights = run.weights;
  if (!weights) throw new Error('This run has no weights to export: it was discarded or has failed.');
  const name = `gimbal-${run.config.method}-${run.completedSteps}-steps`;
  const files = new Map(await lab.exportFolder(weights, modelCard(run, facts)));
  const metrics = run.events.flatMap((event): object[] => {
    if (event.type === 'steps') return event.steps.map((step) => ({ type: 'step', ...step }));
    return event.type === 'evaluation' ? [{ type: 'evaluation', ...event.evaluation }] : [];
  });
  files.set('metrics.jsonl', new Blob(metrics.map((line) => `${JSON.stringify(line)}\n`)));
  files.set('run.json', new Blob([`${JSON.stringify({ ...run.summary, ...facts }, null, 2)}\n`]));
  const blob = await new Response(zipFiles(files, name)).blob();
  return {
    fileName: `${name}.zip`,
    blob,
    files: [...files].map(([path, content]) => ({ name: path, bytes: content.size })),
    verification: await verify(engine, run, weights, blob, files),
  };
}

async function verify(engine: Engine, run: Run, weights: ParameterBuffers, archive: Blob, written: ModelFiles): Promise<VerifyItem[]> {
  const items: VerifyItem[] = [];
  const check = async (title: string, work: () => Promise<{ passed: boolean; detail: string }>): Promise<void> => {
    try {
      items.push({ check: title, ...(await work()) });
    } catch (error) {
      items.push({ check: title, passed: false, detail: error instanceof Error ? error.message : String(error) });
    }
  };
  let opened: ModelFiles = new Map();
  await check('The zip opens and holds every file', async () => {
    opened = withoutCommonFolder(await unzipFiles(archive, 'the exported zip'));
    const missing = [...written.keys()].filter((path) => opened.get(path)?.size !== written.get(path)!.size);
    return { passed: missing.length === 0, detail: missing.length ? `Missing or of another size: ${missing.join(', ')}.` : `${opened.size} files.` };
  });
  await check('model.safetensors has every tensor of config.json', async () => {
    const { weights: read } = await readModelFolder(opened);
    const expected = run.material.lab.model.layout.weights;
    const wrong = expected.filter(({ name, shape }) => read.tensors.get(name)?.shape.join() !== shape.join());
    const tied = run.material.lab.model.config.tieWordEmbeddings;
    const extra = read.tensors.size - expected.length;
    return { passed: wrong.length === 0 && extra === 0, detail: wrong.length ? `${wrong[0]!.name} is missing or misshapen.` : `${read.tensors.size} tensors${tied ? ', the tied head left out' : ''}.` };
  });
  await check('The reloaded model gives the same losses', () => compareLosses(engine, run, weights, opened));
  return items;
}

/** Reloads the files as a person would and evaluates both on the same items. f32 in, f32 out: the difference must be 0. */
async function compareLosses(engine: Engine, run: Run, weights: ParameterBuffers, files: ModelFiles): Promise<{ passed: boolean; detail: string }> {
  const { lab, heldOut } = run.material;
  const items = heldOut.slice(0, COMPARED_ITEMS);
  const shape = { rows: 2, length: run.config.maxLength };
  const reloaded: Lab = await engine.open(files);
  try {
    const [live, read] = [await lab.evaluate(items, shape, weights), await reloaded.evaluate(items, shape)];
    const difference = Math.max(...live.map(({ nll }, i) => Math.abs(nll - read[i]!.nll)));
    return { passed: difference === 0, detail: `Largest difference over ${items.length} items: ${difference}.` };
  } finally {
    reloaded.destroy();
  }
}
