import { describe, expect, it } from 'vitest';
import type { Drift, MatrixDrift } from '../../worker/protocol.ts';
import { plainText } from '../charts/Phrases.tsx';
import { madeUpRun } from '../charts/testing.ts';
import { signedPercent } from './detailCurves.ts';
import { emptySpectrum, spectrumFinding } from './findings.ts';
import { differenceEnd, differenceRows, driftAt, layersOf, mapScale, runRows } from './mapCells.ts';
import { cellNumber, metricIds, metricOf, signedCellNumber, singularValueChange } from './metrics.ts';

const rpsft = madeUpRun().drifts;
const sft = madeUpRun({ method: 'sft' }).drifts;
const last = (drifts: readonly Drift[]): Drift => drifts.at(-1)!;

function matrix(change: Partial<MatrixDrift>): MatrixDrift {
  return { ...last(rpsft).matrices[1]!, ...change };
}

describe('metrics', () => {
  it('are the formulas', () => {
    const one = matrix({
      leftAngles: [10, 20],
      rightAngles: [1, 2],
      sigma0: [2, 4, 0],
      sigma: [2.2, 3.6, 1],
      block: { share: 0.06, diagonal: 0.01, offDiagonal: 0.05, chance: 0.02 },
      relativeChange: 0.1,
    });
    expect(metricOf('leftAngle').value(one)).toBe(15);
    expect(metricOf('rightAngle').value(one)).toBe(1.5);
    expect(singularValueChange(one)).toBeCloseTo(10, 9);
    expect(metricOf('blockEnergy').value(one)).toBeCloseTo(3, 9);
    expect(metricOf('offDiagonal').value(one)).toBeCloseTo(5, 9);
    expect(metricOf('relativeChange').value(one)).toBeCloseTo(10, 9);
  });

  it('each say what they mean and what they do not', () => {
    for (const id of metricIds) {
      const { means, meansNot } = metricOf(id);
      expect(means).toMatch(/\.$/);
      expect(meansNot).toMatch(/\.$/);
    }
    expect(metricOf('leftAngle').meansNot).toContain('RPSFT need not lower it');
    expect(metricOf('vectorAlignment').meansNot).toContain('nearly coincide');
  });

  it('fit two digits into a cell', () => {
    expect([0.894, 0.999, 1, 8.31, 9.97, 37.4, 0.004, -0.13].map(cellNumber)).toEqual([
      '.89',
      '1.0',
      '1.0',
      '8.3',
      '10',
      '37',
      '.00',
      '−.13',
    ]);
    expect([0.13, -0.05, 0.001, -0.001, 8.31, -12].map(signedCellNumber)).toEqual(['+.13', '−.05', '.00', '.00', '+8.3', '−12']);
    expect(cellNumber(NaN)).toBe('–');
  });
});

describe('maps', () => {
  it('have modules down, layers across and matrices without a layer below', () => {
    const metric = metricOf('vectorAlignment');
    const rows = runRows(metric, last(rpsft), mapScale(metric, rpsft));
    expect(layersOf(last(rpsft))).toEqual([0, 1, 2, 3]);
    expect(rows.map(({ name }) => name)).toEqual(['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj', 'embed']);
    expect(rows.map(({ cells }) => cells.length)).toEqual([4, 4, 4, 4, 4, 4, 4, 1]);
    expect(rows[1]!.cells[2]!.label).toMatch(/^layer 2, k_proj: 0\.\d\d$/);
  });

  it('share a scale over runs and steps that holds every value, with paper for no change', () => {
    for (const id of metricIds) {
      const metric = metricOf(id);
      const scale = mapScale(metric, [...rpsft, ...sft]);
      expect(scale.none).toBe(metric.unchanged);
      for (const drift of [...rpsft, ...sft])
        for (const { position } of runRows(metric, drift, scale).flatMap(({ cells }) => cells)) {
          expect(position).toBeGreaterThanOrEqual(-1e-9);
          expect(position).toBeLessThanOrEqual(1 + 1e-9);
        }
    }
  });

  it('colour the difference by who changed less, whichever way the metric counts', () => {
    const more = { step: 1, matrices: [matrix({ vectorAlignment: 0.5, relativeChange: 0.2 })] };
    const less = { step: 1, matrices: [matrix({ vectorAlignment: 0.9, relativeChange: 0.1 })] };
    for (const id of ['vectorAlignment', 'relativeChange'] as const) {
      const metric = metricOf(id);
      const end = differenceEnd(metric, [less], [more]);
      const [cell] = differenceRows(metric, less, more, end)[0]!.cells;
      expect(cell!.position).toBeLessThan(0.5);
      expect(cell!.label).toContain('changed less');
    }
    expect(differenceRows(metricOf('vectorAlignment'), less, more, 1)[0]!.cells[0]!.text).toBe('+.40');
    expect(differenceRows(metricOf('vectorAlignment'), less, less, 1)[0]!.cells[0]!).toMatchObject({ text: '.00', position: 0.5 });
  });

  it('leave out what the reference does not have', () => {
    const [cell] = differenceRows(metricOf('relativeChange'), { step: 1, matrices: [matrix({})] }, { step: 1, matrices: [] }, 1)[0]!.cells;
    expect(cell).toMatchObject({ position: null, text: '' });
  });

  it('take the nearest recorded step', () => {
    expect(driftAt(rpsft, 44)?.step).toBe(30);
    expect(driftAt([], 44)).toBeUndefined();
  });
});

describe('the opening sentence', () => {
  const metric = metricOf('vectorAlignment');
  it('compares two runs in counts and leaves the rest to other seeds', () => {
    const { line, detail } = spectrumFinding(metric, { name: 'RPSFT', drift: last(rpsft) }, { name: 'SFT', drift: last(sft) });
    expect(plainText(line)).toMatch(/^At step 300 the mean vector alignment is 0\.\d\d under RPSFT and 0\.\d\d under SFT\.$/);
    expect(detail).toMatch(/RPSFT reads higher than SFT in \d+ of 29\. 1 seed each/);
  });

  it('gives the range of a single run', () => {
    expect(spectrumFinding(metric, { name: 'RPSFT', drift: last(rpsft) }, undefined).detail).toMatch(
      /It goes from 0\.\d\d \(.+\) to 0\.\d\d \(.+\)\. 1 seed\.$/,
    );
  });

  it('says when the reference stands at another step', () => {
    expect(spectrumFinding(metric, { name: 'RPSFT', drift: last(rpsft) }, { name: 'SFT', drift: sft[2]! }).detail).toContain(
      'SFT is shown at step 90, its nearest.',
    );
  });
});

describe('signedPercent', () => {
  it('has a sign and at most two digits', () => {
    expect([0.04, -0.00513, 0, 0.125].map(signedPercent)).toEqual(['+4%', '−0.51%', '0', '+13%']);
  });
});

describe('without maps', () => {
  const run = { ...madeUpRun({}, 0), drifts: [] };
  it('says that nothing was measured where it was switched off', () => {
    const off = { ...run, config: { ...run.config, driftEvery: 0 } };
    expect(emptySpectrum(off)).toEqual({ line: 'Not measured in this run.', detail: 'It ran with "Spectrum every" at 0, so the matrices were not decomposed. The weights are there: a run that starts from them can measure.' });
    expect(emptySpectrum({ ...off, importedFrom: 'my-adapter' }).detail).toMatch(/^my-adapter came without measurements of its matrices\./);
  });
  it('says when the first comes, and that none came', () => {
    expect(emptySpectrum({ ...run, state: 'running' }).detail).toMatch(/The first measurement comes at step 30\.$/);
    expect(emptySpectrum({ ...run, state: 'stopped' }).line).toBe('No spectrum of this run.');
    expect(emptySpectrum(undefined).line).toBe('No spectrum yet.');
  });
  it('says of adapters that the other matrices are frozen, and when two runs share no matrix', () => {
    const drift = { step: 30, matrices: last(rpsft).matrices.filter(({ module }) => module === 'q_proj') };
    const other = { step: 30, matrices: last(sft).matrices.filter(({ module }) => module === 'k_proj') };
    const { detail } = spectrumFinding(metricOf('leftAngle'), { name: 'RPSFT LoRA', drift, adapted: true }, { name: 'SFT', drift: other });
    expect(detail).toBe('Mean over 4 adapted matrices, each counting the same. No matrix was measured in both. All other matrices are frozen. 1 seed each: another seed may give other numbers.');
  });
});
