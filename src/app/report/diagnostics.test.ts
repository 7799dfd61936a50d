/** @file What the report says of measurements on demand and of drift that was followed, from made-up reports. */
import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import type { FollowedDrift, ProbeReport, ProbeRequest } from '../../worker/protocol.ts';
import { groupRuns } from '../compare/groups.ts';
import { runOf } from '../compare/testing.ts';
import type { LabRun } from '../runs.ts';
import { probeInfos } from '../spectrum/probes/findings.ts';
import { fakeProbe } from '../spectrum/probes/testing.ts';
import { Diagnostics } from './Diagnostics.tsx';
import { reportPage } from './page.ts';

const path = [[0, 0.95], [0.4, 0.9], [0.9, 0.8]] as const;
const [one, two, sft] = [runOf({ seed: 1 }, path), runOf({ seed: 2 }, path), runOf({ method: 'sft', lambda: 0 }, path)];
const made = { drift: one.drifts.at(-1)!, layers: 4 };

const reports = ({ id: run }: LabRun): readonly ProbeReport[] => {
  const on = { run, role: 'outOfDomain', items: 50 } as const;
  const asked: readonly ProbeRequest[] = [{ ...on, kind: 'fisher', of: 'base', tail: true }, { ...on, kind: 'representation' }, { ...on, kind: 'output' }, { kind: 'restore', run, items: 100 }];
  return asked.map((request) => fakeProbe(request, made));
};

const followedAt = (step: number, cka: number, kl: number): FollowedDrift => {
  const estimated = { mean: kl, low: kl - 0.01, high: kl + 0.01 };
  const state = { cka, cosine: cka, pcaShift: 0.1, explained: 0.4 };
  return { step, states: [{ ...state, layer: 0 }, state], outputs: { baseToTuned: estimated, tunedToBase: estimated, jensenShannon: estimated }, tokens: 1024, seconds: 0.5 };
};
const following = (run: LabRun, down: number): LabRun => ({ ...run, followed: [followedAt(30, 0.98 - down, 0.11 + down), followedAt(60, 0.94 - down, 0.21 + down)] });

const write = (runs: readonly LabRun[]): string => renderToStaticMarkup(createElement(Diagnostics, { groups: groupRuns(runs) }));
const text = (markup: string): string => markup.replaceAll(/<[^>]*>/g, '');
const rowsOf = (markup: string): readonly string[] => [...markup.matchAll(/<tr>(.*?)<\/tr>/g)].map(([, row]) => row!.replaceAll(/<\/t[hd]>/g, '|').replaceAll(/<[^>]*>/g, '').trim());

describe('diagnostics in the report', () => {
  it('are absent where nothing was measured', async () => {
    expect(write([one, sft])).toBe('');
    const groups = groupRuns([one, sft]);
    const page = await reportPage({ groups, kept: {}, selected: undefined, frame: 'near', reference: undefined, model: 'Built-in model', date: new Date('2026-03-01T12:00:00Z') }, renderToStaticMarkup);
    expect(page).not.toContain('Diagnostics');
  });

  it('say each measurement in a sentence, with its table, its cost and what it does not mean', () => {
    const markup = write([{ ...one, reports: reports(one) }, sft]);
    for (const sentence of [
      'Base model: the top block holds 4.0× its share by chance (3.6× to 4.4×)', 'RPSFT: CKA is 0.92 before the head.', 'RPSFT: 0.240 nats a token from the base model (0.210 to 0.270).',
      'RPSFT: putting the block back raises out-of-domain by 5.0 points (3.0–7.0)', '50 examples of demo.jsonl, base model, 2 s.', 'Table of 30 rows',
    ]) expect(text(markup)).toContain(sentence);
    for (const { title, meansNot } of Object.values(probeInfos)) {
      expect(markup).toContain(`<b>${title}</b>`);
      expect(markup).toContain(meansNot);
    }
    const rows = rowsOf(markup);
    expect(rows).toContain('Base model: all matrices|4.0×|3.6×|4.4×|1.0×|0.30×|4.00%|');
    expect(rows).toContain('4|0.920|0.880|0.400|');
    expect(rows).toContain('RPSFT, KL(base ‖ tuned)|0.240|0.210|0.270|');
    expect(rows).toContain('RPSFT: Block put back|0.850|0.800|0.900|0.050|0.740|0.690|0.790|-0.060|');
    expect(markup).not.toContain('<svg class="drawing"');
  });

  it('set what asked the same side by side, whatever the question', () => {
    const on = { role: 'outOfDomain' as const, kind: 'output' as const };
    const asked = ({ id: run }: LabRun, items: number, at: string): ProbeReport => ({ ...fakeProbe({ ...on, run, items }, made), at });
    const markup = write([
      { ...one, reports: [asked(one, 50, '2026-11-23T12:00:00.000Z')] },
      { ...two, reports: [asked(two, 50, '2026-11-23T13:00:00.000Z'), asked(two, 8, '2026-11-23T11:00:00.000Z')] },
    ]);
    expect(rowsOf(markup).filter((row) => row.includes('KL(base')).map((row) => row.slice(0, row.indexOf(',')))).toEqual(['RPSFT seed 1', 'RPSFT seed 2', 'RPSFT seed 2']);
    expect(markup.match(/<table>/g)).toHaveLength(2);
  });

  it('draw a line for each setting and write every run', () => {
    const markup = write([following(one, 0), following(two, 0.02), sft]);
    expect(markup.match(/<svg class="drawing"/g)).toHaveLength(2);
    expect(markup).toContain('aria-label="Representation drift by step of RPSFT"');
    expect(markup).toContain('aria-label="Output drift by step of RPSFT"');
    expect(rowsOf(markup)).toEqual([
      'Step|RPSFT seed 1|RPSFT seed 2|', '0|1.000|1.000|', '30|0.980|0.960|', '60|0.940|0.920|',
      'Step|RPSFT seed 1|RPSFT seed 1, 95% low|RPSFT seed 1, 95% high|RPSFT seed 2|RPSFT seed 2, 95% low|RPSFT seed 2, 95% high|',
      '0|0.000|–|–|0.000|–|–|', '30|0.110|0.100|0.120|0.130|0.120|0.140|', '60|0.210|0.200|0.220|0.230|0.220|0.240|',
    ]);
    expect(text(markup)).toContain('RPSFT seed 2: 2 measurements of 1,024 out-of-domain tokens took 1 s.');
  });

  it('tell repeats of one seed apart, and draw only what was followed', () => {
    const again = { ...one, id: 'again' };
    const onStates = (run: LabRun): LabRun => ({ ...run, followed: following(run, 0).followed.map(({ step, states, tokens, seconds }) => ({ step, states: states!, tokens, seconds })) });
    const markup = write([onStates(one), onStates(again)]);
    expect(rowsOf(markup)[0]).toBe('Step|RPSFT seed 1 (1)|RPSFT seed 1 (2)|');
    expect(markup.match(/<svg class="drawing"/g)).toHaveLength(1);
    expect(markup).not.toContain('Output drift');
  });
});
