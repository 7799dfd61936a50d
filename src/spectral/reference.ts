/**
 * @file The spectral mathematics in plain f64, dense and slow, which the kernels are held to.
 * Matrices are row-major Float64Arrays beside their sizes.
 */

export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

export const matrix = (rows: number, columns: number, values: ArrayLike<number> = new Float64Array(rows * columns)): Matrix => ({
  rows,
  columns,
  values: Float64Array.from(values),
});

export function transpose({ rows, columns, values }: Matrix): Matrix {
  return matrix(columns, rows, values.map((_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!));
}

export function multiply(...factors: readonly Matrix[]): Matrix {
  return factors.reduce((a, b) => {
    if (a.columns !== b.rows) throw new RangeError(`[${a.rows}, ${a.columns}] times [${b.rows}, ${b.columns}]`);
    const product = matrix(a.rows, b.columns);
    for (let i = 0; i < a.rows; i += 1) {
      for (let p = 0; p < a.columns; p += 1) {
        const factor = a.values[i * a.columns + p]!;
        for (let j = 0; j < b.columns; j += 1) product.values[i * b.columns + j]! += factor * b.values[p * b.columns + j]!;
      }
    }
    return product;
  });
}

export const scaled = (a: Matrix, factor: number): Matrix => ({ ...a, values: a.values.map((value) => factor * value) });
export const plus = (a: Matrix, b: Matrix): Matrix => ({ ...a, values: a.values.map((value, i) => value + b.values[i]!) });
export const minus = (a: Matrix, b: Matrix): Matrix => plus(a, scaled(b, -1));
export const squaredNorm = ({ values }: Matrix): number => values.reduce((sum, value) => sum + value * value, 0);
export const firstColumns = (a: Matrix, count: number): Matrix => matrix(a.rows, count, Array.from({ length: a.rows * count }, (_, at) => a.values[Math.floor(at / count) * a.columns + (at % count)]!));

/** Full decomposition W = U diag(sigma) Vᵀ by one-sided Jacobi (Hestenes): accurate to f64 for all singular values. */
export function referenceSvd(w: Matrix): { readonly u: Matrix; readonly sigma: Float64Array; readonly v: Matrix } {
  if (w.rows < w.columns) {
    const { u, sigma, v } = referenceSvd(transpose(w));
    return { u: v, sigma, v: u };
  }
  // Rows of `a` are the columns of W as they are turned orthogonal; rows of `turn` become the columns of V.
  const a = transpose(w);
  const turn = matrix(a.rows, a.rows);
  for (let i = 0; i < a.rows; i += 1) turn.values[i * a.rows + i] = 1;
  const row = (m: Matrix, i: number): Float64Array => m.values.subarray(i * m.columns, (i + 1) * m.columns);
  for (let sweep = 0, turned = true; turned && sweep < 60; sweep += 1) {
    turned = false;
    for (let i = 0; i < a.rows; i += 1) {
      for (let j = i + 1; j < a.rows; j += 1) {
        const product = dot(row(a, i), row(a, j));
        const [ii, jj] = [dot(row(a, i), row(a, i)), dot(row(a, j), row(a, j))];
        if (Math.abs(product) <= 1e-15 * Math.sqrt(ii * jj)) continue;
        turned = true;
        const zeta = (jj - ii) / (2 * product);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const cosine = 1 / Math.sqrt(1 + tangent * tangent);
        for (const m of [a, turn]) rotate(row(m, i), row(m, j), cosine, cosine * tangent);
      }
    }
  }
  const lengths = Array.from({ length: a.rows }, (_, i) => Math.sqrt(dot(row(a, i), row(a, i))));
  const order = lengths.map((_, i) => i).toSorted((i, j) => lengths[j]! - lengths[i]!);
  const stack = (m: Matrix, divisor: (i: number) => number): Matrix => transpose(matrix(m.rows, m.columns, order.flatMap((i) => Array.from(row(m, i), (value) => value / divisor(i)))));
  return { u: stack(a, (i) => lengths[i]! || 1), sigma: Float64Array.from(order, (i) => lengths[i]!), v: stack(turn, () => 1) };
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
};

function rotate(x: Float64Array, y: Float64Array, cosine: number, sine: number): void {
  for (let p = 0; p < x.length; p += 1) {
    const [xp, yp] = [x[p]!, y[p]!];
    x[p] = cosine * xp - sine * yp;
    y[p] = sine * xp + cosine * yp;
  }
}

/** RPSFT: value lambda ‖C‖² with C = Uᵀ dW V, and gradient 2 lambda U C Vᵀ with respect to W [m, n]. u [m, k], v [n, k]. */
export function blockPenalty(change: Matrix, u: Matrix, v: Matrix, lambda: number): { readonly value: number; readonly gradient: Matrix } {
  const block = multiply(transpose(u), change, v);
  return { value: lambda * squaredNorm(block), gradient: scaled(multiply(u, block, transpose(v)), 2 * lambda) };
}

/**
 * The same for dW = s B A without ever forming dW: with P = UᵀB and Q = A V, value lambda s² tr((PᵀP)(QQᵀ)).
 * b [m, r], a [r, n].
 */
export function blockPenaltyOfAdapter(b: Matrix, a: Matrix, s: number, u: Matrix, v: Matrix, lambda: number): { readonly value: number; readonly db: Matrix; readonly da: Matrix } {
  const p = multiply(transpose(u), b);
  const q = multiply(a, v);
  const pp = multiply(transpose(p), p);
  const qq = multiply(q, transpose(q));
  const product = multiply(pp, qq);
  let trace = 0;
  for (let i = 0; i < product.rows; i += 1) trace += product.values[i * product.columns + i]!;
  return {
    value: lambda * s * s * trace,
    db: scaled(multiply(u, p, qq), 2 * lambda * s * s),
    da: scaled(multiply(pp, q, transpose(v)), 2 * lambda * s * s),
  };
}
