/** @file The table of methods holds together, and what it says of a run's parts. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { methodsPage } from '../../docs/methodsPage.ts';
import { addedPenalty, choiceName, defaultOf, heldBy, isMethod, isPenalty, METHODS, methodInfo, parametersOf, partsOf, type MethodId } from './registry.ts';

/** The compiler asks for every id. */
const ALL: Readonly<Record<MethodId, true>> = { sft: true, rpsft: true, l2sp: true, dft: true, 'iw-sft': true, 'kl-sft': true, 'two-sided-rpsft': true, 'random-basis': true, 'tail-basis': true, projection: true };

describe('the registry', () => {
  it('has every method once, each with defaults within their ranges and balanced formulas', () => {
    expect(METHODS.map(({ id }) => id).toSorted()).toEqual(Object.keys(ALL).toSorted());
    for (const { id, parameters, formula, adapterFormula, penalty, holds, source } of METHODS) {
      for (const parameter of parameters) {
        if (parameter.kind === 'flag') continue;
        expect(parameter.default, `${id} ${parameter.id}`).toBeGreaterThanOrEqual(parameter.least);
        expect(parameter.default, `${id} ${parameter.id}`).toBeLessThanOrEqual(parameter.most);
        expect(parameter.step).toBeGreaterThan(parameter.scale === 'log' ? 1 : 0);
      }
      const ids = parameters.map((parameter) => parameter.id);
      expect(ids.includes('rankFraction'), `${id} holds directions`).toBe(holds !== undefined);
      expect(ids.includes('lambda'), `${id} has a strength`).toBe(penalty !== undefined && id !== 'projection');
      for (const each of [formula, ...(adapterFormula ? [adapterFormula] : [])]) {
        for (const [open, close] of ['{}', '()']) expect(each.latex.split(open!).length, `${id} ${each.latex}`).toBe(each.latex.split(close!).length);
        expect(each.text).not.toContain('\\');
        expect(each.spoken).toMatch(/^[A-Za-z0-9 ,]+$/);
      }
      expect(source.url ?? 'https://').toMatch(/^https:/);
    }
  });

  it('is what docs/methods.md says (write it with node scripts/run.mjs docs/methods.ts)', () => {
    expect(readFileSync('docs/methods.md', 'utf8')).toBe(methodsPage());
  });

  it('tells the objective and the penalty of a run', () => {
    expect(partsOf({ method: 'rpsft', lambda: 0 })).toEqual({ objective: 'sft', penalty: 'rpsft' });
    expect(partsOf({ method: 'sft', lambda: 10, penalty: 'l2sp' })).toEqual({ objective: 'sft' });
    expect(partsOf({ method: 'dft', lambda: 0 })).toEqual({ objective: 'dft' });
    expect(partsOf({ method: 'dft', lambda: 1 })).toEqual({ objective: 'dft', penalty: 'rpsft' });
    expect(partsOf({ method: 'kl-sft', lambda: 1, penalty: 'two-sided-rpsft' })).toEqual({ objective: 'kl-sft', penalty: 'two-sided-rpsft' });
    expect([heldBy(undefined), heldBy('l2sp'), heldBy('projection'), heldBy('random-basis'), heldBy('tail-basis')]).toEqual([undefined, undefined, 'top', 'random', 'tail']);
  });

  it('names a choice with the penalty beside it, and tells its parameters', () => {
    const names = ([{ method: 'dft', lambda: 0 }, { method: 'dft', lambda: 0, penalty: 'rpsft' }, { method: 'iw-sft', lambda: 1 }, { method: 'sft', lambda: 1, penalty: 'rpsft' }, { method: 'l2sp', lambda: 1 }] as const).map(choiceName);
    expect(names).toEqual(['DFT', 'DFT + RPSFT', 'IW-SFT + RPSFT', 'SFT', 'L2-SP']);
    expect([addedPenalty({ method: 'rpsft', lambda: 1, penalty: 'l2sp' }), addedPenalty({ method: 'kl-sft', lambda: 1, penalty: 'l2sp' })]).toEqual([undefined, 'l2sp']);
    expect(parametersOf({ method: 'kl-sft', lambda: 0, penalty: 'rpsft' }).map(({ id }) => id)).toEqual(['beta', 'lambda', 'rankFraction']);
    expect(parametersOf({ method: 'sft', lambda: 1 })).toEqual([]);
  });

  it('knows its own ids from others', () => {
    expect([isMethod('dft'), isMethod('magic'), isMethod(undefined)]).toEqual([true, false, false]);
    expect([isPenalty('l2sp'), isPenalty('dft'), isPenalty(undefined)]).toEqual([true, false, false]);
  });

  it('names what is not there', () => {
    expect(() => methodInfo('adam' as MethodId)).toThrow('There is no method adam; there are sft, rpsft,');
    expect(() => defaultOf('sft', 'tau')).toThrow('sft has no parameter tau.');
  });
});
