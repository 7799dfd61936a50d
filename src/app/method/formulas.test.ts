/** @file Formulas as the page writes them. */
import { describe, expect, it } from 'vitest';
import { METHODS } from '../../worker/methods.ts';
import { formulaLines, formulaPieces, formulasOf } from './formulas.ts';

describe('formulasOf', () => {
  it('is that of the registry, over adapters where it reads otherwise there', () => {
    for (const { id, formula, adapterFormula } of METHODS) {
      expect(formulasOf({ method: id, lambda: 0 }, false)).toEqual([formula]);
      expect(formulasOf({ method: id, lambda: 0 }, true)).toEqual([adapterFormula ?? formula]);
    }
  });

  it('adds the penalty beside an objective to its loss', () => {
    const texts = (method: 'dft' | 'iw-sft' | 'kl-sft'): readonly string[] => formulasOf({ method, lambda: 0, penalty: 'rpsft' }, false).map(({ text }) => text);
    expect(texts('dft')).toEqual(['L_DFT = −(1/N) Σ_t sg(p_t) log p_t', 'L = L_DFT + λ Σ_W ‖U_kᵀ(W − W₀)V_k‖²']);
    expect(texts('iw-sft')[1]).toMatch(/^L = L_IW \+ λ/);
    expect(texts('kl-sft')[0]).toMatch(/^L_KL = L_SFT \+ \(β\/N\)/);
    expect(formulasOf({ method: 'kl-sft', lambda: 0, penalty: 'rpsft' }, true)[1]!.spoken).toMatch(/^Loss of KL plus lambda/);
  });
});

describe('formulaPieces', () => {
  it('sets variables, words, subscripts and sums apart', () => {
    expect(formulaPieces('ΔW(V_{-k}ᵀ').map(({ face, place, text }) => `${face} ${place} ${text}`)).toEqual(['plain line Δ', 'variable line W', 'plain line (', 'variable line V', 'variable sub −k', 'plain super ⊤']);
    expect(formulaPieces('L_SFT Σ_W log p_t W₀²').map(({ face, place, text }) => `${face} ${place} ${text.trim()}`)).toEqual([
      'variable line L', 'plain sub SFT', 'plain line ', 'sum line ∑', 'variable sub W', 'plain line ', 'plain line log', 'plain line ', 'variable line p', 'variable sub t', 'plain line ', 'variable line W', 'plain sub 0', 'plain super 2',
    ]);
  });

  it('keeps every sign of every formula', () => {
    const plain = (text: string): string => text.replace(/[_{}]/g, '').replace(/Σ/g, '∑').replace(/ᵀ/g, '⊤').replace(/²/g, '2').replace(/₀/g, '0').replace(/-/g, '−');
    for (const { formula, adapterFormula } of METHODS)
      for (const { text } of [formula, ...(adapterFormula ? [adapterFormula] : [])]) expect(plain(formulaPieces(text).map((piece) => piece.text).join(''))).toBe(plain(text));
  });
});

describe('formulaLines', () => {
  it('break between terms only', () => {
    expect(formulaLines('L = L_SFT + λ Σ_W ‖U_kᵀ(W − W₀)V_k‖²')).toEqual([['L', '= L_SFT', '+ λ', 'Σ_W ‖U_kᵀ(W − W₀)V_k‖²']]);
    expect(formulaLines('L = L_SFT + (β/N) Σ_t KL(p_t ‖ q_t), s = min(1, 2)')).toEqual([['L', '= L_SFT', '+ (β/N)', 'Σ_t KL(p_t ‖ q_t)'], ['s', '= min(1, 2)']]);
  });

  it('lose nothing', () => {
    for (const { formula: { text } } of METHODS) expect(formulaLines(text).map((line) => line.join(' ')).join(', ')).toBe(text);
  });
});
