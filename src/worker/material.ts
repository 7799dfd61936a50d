/** @file What a run is made on, taken from what is open now, and what is to be said of it beforehand. */
import type { Engine } from '../engine.ts';
import type { RunConfig } from './protocol.ts';
import type { RunMaterial } from './runMaterial.ts';
import type { Workspace } from './workspace.ts';

/** What a run needs besides the open model and its data. */
export interface RunSurroundings extends Pick<RunMaterial, 'baseEvaluations' | 'withStart'> {
  readonly engine: () => Engine;
  /** Its name and version. */
  readonly browser: string;
}

export async function materialOf({ maxLength }: RunConfig, { lab, datasets, summary, key }: Workspace, { engine, browser, baseEvaluations, withStart }: RunSurroundings): Promise<RunMaterial> {
  return {
    lab,
    train: await datasets.examples('train', maxLength),
    trainTokens: datasets.tokens('train'),
    trainExamples: async () => (await datasets.suite('train')).examples,
    heldOut: await datasets.suite('heldOut'),
    outOfDomain: await datasets.suite('outOfDomain'),
    followed: () => datasets.examples('outOfDomain', maxLength),
    heldOutTokens: datasets.tokens('heldOut'),
    outOfDomainTokens: datasets.tokens('outOfDomain'),
    modelName: summary.name,
    datasetName: datasets.name('train'),
    baseEvaluations,
    evaluationKey: [datasets.sha256('heldOut'), datasets.sha256('outOfDomain'), maxLength].join(' '),
    withStart,
    origin: {
      model: key,
      precision: summary.precision,
      data: datasets.used(),
      environment: {
        adapter: engine().gpu.facts.description,
        browser,
        ...(summary.revision === undefined ? {} : { modelRevision: summary.revision }),
        dataHashes: datasets.hashes(),
      },
    },
    lost: engine().gpu.lost,
  };
}

/** What is to be said before a run is started with these settings. */
export async function warningsOf({ lora }: RunConfig, { warning, datasets }: Workspace): Promise<string[]> {
  const found = lora && datasets.summary('train').rendering === 'chat' ? await warning : undefined;
  return found === undefined ? [] : [found];
}
