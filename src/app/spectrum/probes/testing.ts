/** @file Made-up measurements of plausible shape for tests of the page. */
import type { Drift, Estimated, FisherShare, MatrixDetail, MatrixDrift, ProbeReport, ProbeRequest, RestoredScore } from '../../../worker/protocol.ts';

const around = (mean: number, half: number): Estimated => ({ mean, low: mean - half, high: mean + half });
const shareOf = (ratio: number, chance: number): FisherShare => ({ ratio, share: ratio * chance, standardError: 0.05 * ratio * chance });

/** A report as the worker would give it: the top block holds four times its chance, states drift with the layers, and the block brings five points back. */
export function fakeProbe(request: ProbeRequest, { drift, layers }: { readonly drift: Drift; readonly layers: number }): ProbeReport {
  const common = { step: 300, at: '2026-11-23T12:00:00.000Z', dataset: 'demo.jsonl', examples: request.items, seconds: 2 };
  switch (request.kind) {
    case 'fisher': {
      const of = (chance: number, ratio: number) => ({ chance, energy: 1, top: shareOf(ratio, chance), random: shareOf(1, chance), ...(request.tail ? { tail: shareOf(0.3, chance) } : {}) });
      const matrices = drift.matrices.map(({ name, layer, module, shape, k, block }, index) => ({ name, module, shape, k, ...(layer === undefined ? {} : { layer }), ...of(block.chance, 2 + (index % 5)) }));
      return { ...common, ...(request.of === 'base' ? { step: 0 } : {}), request, tokens: request.items * 44, fisher: { matrices, whole: of(0.04, 4) } };
    }
    case 'representation': {
      const states = Array.from({ length: layers + 1 }, (_, layer) => ({ cka: 1 - 0.02 * layer, cosine: 1 - 0.03 * layer, pcaShift: 0.1 * layer, explained: 0.4, ...(layer < layers ? { layer } : {}) }));
      return { ...common, request, tokens: 1024, states };
    }
    case 'output':
      return { ...common, request, tokens: 4400, divergences: { baseToTuned: around(0.24, 0.03), tunedToBase: around(0.19, 0.02), jensenShannon: around(0.05, 0.005) } };
    case 'restore': {
      const scored = (value: number, change?: Estimated): RestoredScore => ({ score: { value, items: request.items, low: value - 0.05, high: value + 0.05 }, ...(change ? { change } : {}) });
      return {
        ...common, request, measures: { inDomain: 'exact', outOfDomain: 'exact' },
        rows: [
          { weights: 'base', inDomain: scored(0.1, around(-0.7, 0.06)), outOfDomain: scored(0.95, around(0.15, 0.04)) },
          { weights: 'tuned', inDomain: scored(0.8), outOfDomain: scored(0.8) },
          { weights: 'values', inDomain: scored(0.79, around(-0.01, 0.02)), outOfDomain: scored(0.81, around(0.01, 0.02)) },
          { weights: 'rotation', inDomain: scored(0.75, around(-0.05, 0.03)), outOfDomain: scored(0.84, around(0.04, 0.02)) },
          { weights: 'block', inDomain: scored(0.74, around(-0.06, 0.03)), outOfDomain: scored(0.85, around(0.05, 0.02)) },
        ],
      };
    }
  }
}

/** Strong on the diagonal, with some mixing of neighbours. */
export function fakeDetail(matrix: MatrixDrift): MatrixDetail {
  const { k } = matrix;
  const alignment = Float32Array.from({ length: k * k }, (_, at) => {
    const apart = Math.abs((at % k) - Math.floor(at / k));
    return apart === 0 ? 0.9 : apart < 3 ? 0.2 / apart : 0;
  });
  return { step: 300, matrix: { ...matrix, leftAlignment: alignment, rightAlignment: alignment } };
}
