/** @file The settings of a run in a bundle: those of every method come back, and what this version does not have is named. */
import { describe, expect, it } from 'vitest';
import { zipFiles } from '../formats/zip.ts';
import { bundleFiles, readBundle } from './bundle.ts';
import { UNKNOWN_CONFIG } from './imported.ts';
import type { RunConfig, RunSummary } from './protocol.ts';
import type { RunHead } from './records.ts';

/** Bundles one run of these settings, and reads it. */
async function throughBundle(change: Readonly<Record<string, unknown>>): Promise<RunConfig> {
  const config = { ...UNKNOWN_CONFIG, maxLength: 48, ...change } as RunConfig;
  const summary: RunSummary = { id: 'run-1', config, state: 'finished', model: 'm', dataset: 'd', startedAt: '2026-11-23T12:00:00.000Z', completedSteps: 0 };
  const data = { name: 'd', key: 'k' };
  const environment = { adapter: 'a', browser: 'b', dataHashes: {} };
  const head: RunHead = { format: 1, model: 'm', precision: 'f32', data: { train: data, heldOut: data, outOfDomain: data }, environment, summary };
  const files = bundleFiles([{ head, stored: { summary, notes: { tags: [], pinned: false }, events: [], environment, bytes: 0, hasWeights: false } }]);
  const [run] = await readBundle(await new Response(zipFiles(files, 'bundle')).blob(), 'bundle.zip');
  return run!.head.summary.config;
}

describe('settings in a bundle', () => {
  it('keep what the method takes, and the penalty beside it', async () => {
    const config = { method: 'iw-sft', penalty: 'rpsft', lambda: 2, tau: 0.5, throughScale: true };
    expect(await throughBundle(config)).toMatchObject(config);
  });

  it('are refused where this version has no such method or penalty', async () => {
    await expect(throughBundle({ method: 'magic' })).rejects.toThrow(/run\.json: summary\.config\.method is "magic", which this version does not have$/);
    await expect(throughBundle({ method: 'dft', penalty: 'sft' })).rejects.toThrow(/summary\.config\.penalty is "sft", which this version does not have$/);
    await expect(throughBundle({ tau: 'sharp' })).rejects.toThrow(/summary\.config\.tau is "sharp", not a number$/);
  });
});
