/** @file Formulas of the registry in their plain form, cut into what a page can typeset and break. Pure. */
import { addedPenalty, methodInfo, type MethodChoice, type MethodFormula, type MethodId } from '../../worker/methods.ts';

/** A formula and how it is read out. */
export type WrittenFormula = Pick<MethodFormula, 'text' | 'spoken'>;

const formulaOf = (method: MethodId, adapters: boolean): WrittenFormula => {
  const { formula, adapterFormula } = methodInfo(method);
  return (adapters ? adapterFormula : undefined) ?? formula;
};

/** What a run minimises: the formula of its method; with a penalty beside it, that of the objective and then that of both. */
export function formulasOf(choice: MethodChoice, adapters: boolean): readonly WrittenFormula[] {
  const own = formulaOf(choice.method, adapters);
  const added = addedPenalty(choice);
  if (added === undefined) return [own];
  const name = methodInfo(choice.method).name.replace('-SFT', '');
  const penalty = formulaOf(added, adapters);
  return [
    { text: own.text.replace(/^L =/, `L_${name} =`), spoken: `For the loss of ${name}: ${own.spoken}` },
    { text: penalty.text.replace('L_SFT', `L_${name}`), spoken: penalty.spoken.replace('Loss of SFT', `Loss of ${name}`) },
  ];
}

/** A piece of a formula in one face. */
export interface FormulaPiece {
  /** `variable` is italic, `plain` upright, `sum` larger. */
  readonly face: 'variable' | 'plain' | 'sum';
  readonly place: 'line' | 'sub' | 'super';
  readonly text: string;
}

const faceOf = (text: string): FormulaPiece['face'] => (/^\p{Script=Latin}$|^\p{Ll}$/u.test(text) ? 'variable' : 'plain');

/** Pieces of "U_kᵀ(W − W₀)V_k": single letters are variables, words and capital Greek letters stand upright. */
export function formulaPieces(text: string): readonly FormulaPiece[] {
  return Array.from(text.matchAll(/_\{([^}]+)\}|_([A-Za-z0-9]+)|([ᵀ²₀])|(Σ)|(Δ)|(\p{L}+)|([^\p{L}_²₀]+)/gu), ([, braced, subscript, mark, sum, delta, letters, rest = '']): FormulaPiece => {
    const below = braced ?? subscript;
    if (below !== undefined) return { face: faceOf(below.replace('-', '')), place: 'sub', text: below.replace('-', '−') };
    if (mark !== undefined) return mark === '₀' ? { face: 'plain', place: 'sub', text: '0' } : { face: 'plain', place: 'super', text: mark === '²' ? '2' : '⊤' };
    if (sum !== undefined) return { face: 'sum', place: 'line', text: '∑' };
    return letters === undefined ? { face: 'plain', place: 'line', text: delta ?? rest } : { face: faceOf(letters), place: 'line', text: letters };
  });
}

/** One statement a line, in parts that stay together: broken at spaces outside of brackets and norms, never after an operator, a sum or a function. */
export function formulaLines(text: string): readonly (readonly string[])[] {
  const lines: string[][] = [];
  const parts: string[] = [];
  let [part, depth, inNorm] = ['', 0, false];
  for (const [index, letter] of [...text].entries()) {
    if (letter === '(') depth += 1;
    if (letter === ')') depth -= 1;
    // Between spaces it parts two distributions.
    if (letter === '‖' && text[index - 1] !== ' ') inNorm = !inNorm;
    else if (letter === '‖' && text[index + 1] !== ' ') inNorm = true;
    if (letter === ' ' && depth === 0 && !inNorm && !/(^|\s)([+−=←]|Σ_\w|log|mean_\w)$/.test(part)) {
      parts.push(part.replace(/,$/, ''));
      if (part.endsWith(',')) lines.push(parts.splice(0));
      part = '';
    } else part += letter;
  }
  return [...lines, [...parts, part]];
}
