/**
 * @file Eigenvalues and eigenvectors of small symmetric matrices in f64 on the CPU: Householder tridiagonalisation and
 * implicit QL (Golub & Van Loan, Matrix Computations, sections 8.3.1 and 8.3.3).
 *
 * A decomposition leaves one matrix of at most a few hundred rows per weight to diagonalise. f64 takes its error out of
 * the picture and makes the result independent of the adapter; the parallel Jacobi methods that suit a GPU need about
 * ten times the arithmetic and two barriers a rotation round, which adapters that run on the CPU do slowest of all.
 */

export interface Eigen {
  /** All eigenvalues, largest first. */
  readonly values: Float64Array;
  /** [count, n] row-major: row i is the unit eigenvector of values[i]. */
  readonly vectors: Float64Array;
}

const MAX_ITERATIONS = 80;

/**
 * All eigenvalues and the eigenvectors of the `count` largest (0 for none) of a symmetric [n, n] matrix.
 * Reads only the lower triangle.
 * @throws {RangeError} when the matrix is not finite.
 */
export function symmetricEigen(matrix: ArrayLike<number>, n: number, count: number): Eigen {
  const reflectors = Float64Array.from(matrix);
  const { diagonal, offDiagonal } = tridiagonalize(reflectors, n);
  const rows = count > 0 ? identity(n) : undefined;
  implicitQl(diagonal, offDiagonal, rows);
  const order = Array.from(diagonal.keys()).toSorted((a, b) => diagonal[b]! - diagonal[a]! || a - b);
  const vectors = new Float64Array(count * n);
  for (let i = 0; i < count; i += 1) {
    const vector = vectors.subarray(i * n, (i + 1) * n);
    vector.set(rows!.subarray(order[i]! * n, (order[i]! + 1) * n));
    reflectBack(reflectors, n, vector);
  }
  return { values: Float64Array.from(order, (at) => diagonal[at]!), vectors };
}

/** Singular values, largest first, of a square [n, n] matrix, as roots of the eigenvalues of its Gram matrix. */
export function singularValues(matrix: ArrayLike<number>, n: number): Float64Array {
  const gram = new Float64Array(n * n);
  for (let row = 0; row < n; row += 1) {
    for (let i = 0; i < n; i += 1) {
      const factor = matrix[row * n + i]!;
      for (let j = 0; j <= i; j += 1) gram[i * n + j]! += factor * matrix[row * n + j]!;
    }
  }
  return symmetricEigen(gram, n, 0).values.map((value) => Math.sqrt(Math.max(value, 0)));
}

function identity(n: number): Float64Array {
  const rows = new Float64Array(n * n);
  for (let i = 0; i < n; i += 1) rows[i * n + i] = 1;
  return rows;
}

/**
 * Turns `a` (its lower triangle) into tridiagonal form by reflections H = I - v vᵀ with |v|² = 2.
 * The v of step i stays in column-free storage: row i of the upper triangle, entries i+1 ... n-1.
 */
function tridiagonalize(a: Float64Array, n: number): { diagonal: Float64Array; offDiagonal: Float64Array } {
  const diagonal = new Float64Array(n);
  const offDiagonal = new Float64Array(n);
  const v = new Float64Array(n);
  const w = new Float64Array(n);
  for (let step = 0; step < n; step += 1) {
    diagonal[step] = a[step * n + step]!;
    let squares = 0;
    for (let i = step + 1; i < n; i += 1) {
      v[i] = a[i * n + step]!;
      squares += v[i]! * v[i]!;
    }
    if (!Number.isFinite(squares)) throw new RangeError('The eigenvalues of a matrix with entries that are not finite were asked for.');
    if (step + 1 === n) break;
    const first = v[step + 1]!;
    const length = Math.sqrt(squares);
    offDiagonal[step] = first > 0 ? -length : length;
    v[step + 1] = first - offDiagonal[step]!;
    const normal = squares - first * offDiagonal[step]!;
    const scale = normal > 0 ? 1 / Math.sqrt(normal) : 0;
    for (let i = step + 1; i < n; i += 1) {
      v[i]! *= scale;
      a[step * n + i] = v[i]!;
      w[i] = 0;
    }
    if (scale === 0) continue;
    // w = A v over the lower triangle, then A -= v w'ᵀ + w' vᵀ with w' = w - (vᵀw / 2) v.
    for (let i = step + 1; i < n; i += 1) {
      const row = i * n;
      const vi = v[i]!;
      let sum = a[row + i]! * vi;
      for (let j = step + 1; j < i; j += 1) {
        const entry = a[row + j]!;
        sum += entry * v[j]!;
        w[j]! += entry * vi;
      }
      w[i]! += sum;
    }
    let half = 0;
    for (let i = step + 1; i < n; i += 1) half += (v[i]! * w[i]!) / 2;
    for (let i = step + 1; i < n; i += 1) w[i]! -= half * v[i]!;
    for (let i = step + 1; i < n; i += 1) {
      const row = i * n;
      const vi = v[i]!;
      const wi = w[i]!;
      for (let j = step + 1; j <= i; j += 1) a[row + j]! -= vi * w[j]! + wi * v[j]!;
    }
  }
  return { diagonal, offDiagonal };
}

/** Undoes the reflections of `tridiagonalize` on an eigenvector of the tridiagonal matrix, in place. */
function reflectBack(reflectors: Float64Array, n: number, vector: Float64Array): void {
  for (let step = n - 2; step >= 0; step -= 1) {
    const row = step * n;
    let product = 0;
    for (let i = step + 1; i < n; i += 1) product += reflectors[row + i]! * vector[i]!;
    for (let i = step + 1; i < n; i += 1) vector[i]! -= product * reflectors[row + i]!;
  }
}

/** Diagonalises a tridiagonal matrix in place; `rows` (if any) is turned along, so that row i becomes eigenvector i. */
function implicitQl(d: Float64Array, e: Float64Array, rows: Float64Array | undefined): void {
  const n = d.length;
  let size = 0;
  for (let i = 0; i < n; i += 1) size = Math.max(size, Math.abs(d[i]!) + Math.abs(e[i]!));
  const negligible = size * 1e-30;
  for (let first = 0; first < n; first += 1) {
    for (let iteration = 0; ; iteration += 1) {
      let last = first;
      while (last < n - 1 && Math.abs(e[last]!) > Number.EPSILON * (Math.abs(d[last]!) + Math.abs(d[last + 1]!)) + negligible) last += 1;
      if (last === first) break;
      if (iteration === MAX_ITERATIONS) throw new RangeError(`The eigenvalues of a ${n} x ${n} matrix did not converge.`);
      // Wilkinson's shift from the leading 2 x 2 block, then one chase of the bulge from `last` up to `first`.
      const ratio = (d[first + 1]! - d[first]!) / (2 * e[first]!);
      const root = Math.sqrt(ratio * ratio + 1);
      let g = d[last]! - d[first]! + e[first]! / (ratio + (ratio < 0 ? -root : root));
      let sine = 1;
      let cosine = 1;
      let moved = 0;
      let i = last - 1;
      for (; i >= first; i -= 1) {
        const f = sine * e[i]!;
        const b = cosine * e[i]!;
        const r = Math.sqrt(f * f + g * g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1]! -= moved;
          e[last] = 0;
          break;
        }
        sine = f / r;
        cosine = g / r;
        const shifted = d[i + 1]! - moved;
        const s = (d[i]! - shifted) * sine + 2 * cosine * b;
        moved = sine * s;
        d[i + 1] = shifted + moved;
        g = cosine * s - b;
        if (rows) rotate(rows, i * n, n, cosine, sine);
      }
      if (i >= first) continue;
      d[first]! -= moved;
      e[first] = g;
      e[last] = 0;
    }
  }
}

/** Rotates two neighbouring rows of length n, the first of which begins at `at`. */
function rotate(rows: Float64Array, at: number, n: number, cosine: number, sine: number): void {
  for (let i = at; i < at + n; i += 1) {
    const upper = rows[i]!;
    const lower = rows[i + n]!;
    rows[i + n] = sine * upper + cosine * lower;
    rows[i] = cosine * upper - sine * lower;
  }
}
