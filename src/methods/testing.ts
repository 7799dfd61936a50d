/** @file The penalties in plain f64 that spectral/reference.ts does not have, which the kernels are held to. */
import { minus, multiply, plus, scaled, squaredNorm, transpose, type Matrix } from '../spectral/reference.ts';

/** What lies outside the span of the columns of u: (I - u uᵀ) a. */
export const outside = (a: Matrix, u: Matrix): Matrix => minus(a, multiply(u, multiply(transpose(u), a)));

/** λ (‖Uᵀ dW‖² + ‖(I - U Uᵀ) dW V‖²) and its gradient 2λ (U Uᵀ dW + (I - U Uᵀ) dW V Vᵀ). u [m, k], v [n, k]. */
export function twoSidedReference(change: Matrix, u: Matrix, v: Matrix, lambda: number): { readonly value: number; readonly gradient: Matrix } {
  const left = multiply(transpose(u), change);
  const right = outside(multiply(change, v), u);
  return { value: lambda * (squaredNorm(left) + squaredNorm(right)), gradient: scaled(plus(multiply(u, left), multiply(right, transpose(v))), 2 * lambda) };
}
