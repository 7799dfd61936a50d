/** @file The sentence that the Spectrum view opens with. */
import type { Drift } from '../../worker/protocol.ts';
import type { Phrase } from '../charts/Phrases.tsx';
import { formatCount, formatCounted } from '../format.ts';
import { isLive, type LabRun } from '../runs.ts';
import { beyond, matrixLabel, pairs } from './mapCells.ts';
import type { Metric } from './metrics.ts';

export interface NamedDrift {
  readonly name: string;
  /** Only matrices with an adapter were measured. */
  readonly adapted?: boolean;
  readonly drift: Drift;
}

export interface SpectrumFinding {
  readonly line: readonly Phrase[];
  readonly detail: string;
}

/** Mean over matrices, each counting the same; matrices without a value are left out. */
export function meanOver(metric: Metric, { matrices }: Drift): number {
  const values = matrices.map(metric.value).filter(Number.isFinite);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** What one run shows, or two side by side. Measured exactly, but on one seed. */
export function spectrumFinding(metric: Metric, run: NamedDrift, reference: NamedDrift | undefined): SpectrumFinding {
  const kind = run.adapted === true ? 'adapted ' : '';
  const count = formatCounted(run.drift.matrices.length, `${kind}matrix`, `${kind}matrices`);
  const others = run.adapted === true ? ' All other matrices are frozen.' : '';
  const opening = `At step ${formatCount(run.drift.step)} the ${metric.noun} is `;
  const own: Phrase = { strong: metric.text(meanOver(metric, run.drift)) };
  if (!reference) {
    const sorted = run.drift.matrices
      .filter((matrix) => Number.isFinite(metric.value(matrix)))
      .sort((a, b) => metric.value(a) - metric.value(b));
    const [least, most] = [sorted[0], sorted.at(-1)];
    const range =
      least && most
        ? ` It goes from ${metric.text(metric.value(least))} (${matrixLabel(least)}) to ${metric.text(metric.value(most))} (${matrixLabel(most)}).`
        : '';
    return { line: [opening, own, ` under ${run.name}.`], detail: `Mean over ${count}, each counting the same.${range}${others} 1 seed.` };
  }
  const together = pairs(run.drift, reference.drift);
  const less = together.filter(([matrix, other]) => beyond(metric, matrix, other) < 0).length;
  const steps =
    reference.drift.step === run.drift.step ? '' : ` ${reference.name} is shown at step ${formatCount(reference.drift.step)}, its nearest.`;
  const direction = metric.unchanged === 1 ? 'higher' : 'lower';
  const comparison = together.length === 0 ? `No matrix was measured in both.` : `${run.name} reads ${direction} than ${reference.name} in ${formatCount(less)} of ${formatCount(together.length)}.`;
  return {
    line: [
      opening,
      own,
      ` under ${run.name} and `,
      { strong: metric.text(meanOver(metric, reference.drift)) },
      ` under ${reference.name}.`,
    ],
    detail: `Mean over ${count}, each counting the same. ${comparison}${steps}${others} 1 seed each: another seed may give other numbers.`,
  };
}

/** What the view says in the place of maps. */
export function emptySpectrum(run: LabRun | undefined): { readonly line: string; readonly detail: string } {
  const shows = 'During a run this page shows, matrix by matrix, how far the singular subspaces have turned.';
  if (run === undefined) return { line: 'No spectrum yet.', detail: shows };
  const { config, importedFrom } = run;
  if (config.driftEvery === 0) {
    const detail = importedFrom === undefined ? 'It ran with "Spectrum every" at 0, so the matrices were not decomposed.' : `${importedFrom} came without measurements of its matrices.`;
    return { line: 'Not measured in this run.', detail: `${detail} The weights are there: a run that starts from them can measure.` };
  }
  if (isLive(run)) return { line: 'No spectrum yet.', detail: `${shows} The first measurement comes at step ${formatCount(Math.min(config.driftEvery, config.steps))}.` };
  return { line: 'No spectrum of this run.', detail: 'It ended before the first measurement.' };
}
