/**
 * @file Eigenvalues and eigenvectors of symmetric matrices in f64 on the CPU: Householder tridiagonalisation where the matrix is
 * dense, QL for the eigenvalues, inverse iteration for the eigenvectors that are wanted (Golub & Van Loan, Matrix Computations,
 * sections 8.3.1, 8.3.3 and 8.2.2; clusters as in LAPACK's dstein).
 *
 * A decomposition reduces its matrices to tridiagonal form on the GPU (tridiagonal.ts) and leaves 2n numbers a matrix: some n² operations
 * for the values and n for each vector, which take milliseconds here. f64 takes their error out of the picture and makes what follows from
 * the same 2n numbers the same on every adapter.
 */

export interface Eigen {
  /** All eigenvalues, largest first. */
  readonly values: Float64Array;
  /** [count, n] row-major: row i is the unit eigenvector of values[i], or of the i-th smallest value where those were asked for. */
  readonly vectors: Float64Array;
}

export interface EigenOptions {
  /** Eigenvectors of the smallest eigenvalues, smallest first, instead of the largest. */
  readonly smallest?: boolean;
}

const MAX_ITERATIONS = 80;

/** Eigenvalues closer than this part of the largest entry get their eigenvectors orthogonalised against each other: inverse iteration alone leaves products of about epsilon over the gap. */
const CLUSTER = 1e-5;

/** Inverse iterations at most; two or three are the rule. */
const MAX_SOLVES = 8;

/**
 * All eigenvalues and the eigenvectors of the `count` largest (0 for none) of a symmetric [n, n] matrix.
 * Reads only the lower triangle.
 * @throws {RangeError} when the matrix is not finite.
 */
export function symmetricEigen(matrix: ArrayLike<number>, n: number, count: number): Eigen {
  const reflectors = Float64Array.from(matrix);
  const { diagonal, offDiagonal } = tridiagonalize(reflectors, n);
  const eigen = tridiagonalEigen(diagonal, offDiagonal, count);
  for (let i = 0; i < count; i += 1) reflectBack(reflectors, n, eigen.vectors.subarray(i * n, (i + 1) * n));
  return eigen;
}

/**
 * All eigenvalues and `count` eigenvectors of a symmetric tridiagonal matrix.
 * @param diagonal [n]
 * @param offDiagonal entry i joins i and i + 1; what stands from n - 1 on is not read
 * @throws {RangeError} when an entry is not finite
 */
export function tridiagonalEigen(diagonal: ArrayLike<number>, offDiagonal: ArrayLike<number>, count: number, { smallest = false }: EigenOptions = {}): Eigen {
  const n = diagonal.length;
  const d = Float64Array.from(diagonal);
  const e = Float64Array.from({ length: n }, (_, i) => (i < n - 1 ? offDiagonal[i]! : 0));
  let norm = 0;
  for (let i = 0; i < n; i += 1) norm = Math.max(norm, Math.abs(d[i]!), Math.abs(e[i]!));
  if (!Number.isFinite(norm) || d.some(Number.isNaN) || e.some(Number.isNaN)) throw new RangeError('The eigenvalues of a matrix with entries that are not finite were asked for.');
  // Where an off-diagonal entry is nothing beside the matrix, it falls apart: vectors of one part are zero in the others, however close their values are.
  const ends: number[] = [];
  for (let i = 0; i < n; i += 1) if (i === n - 1 || Math.abs(e[i]!) <= Number.EPSILON * norm) ends.push(i + 1);
  const all: { readonly value: number; readonly part: number }[] = [];
  for (const [part, end] of ends.entries()) {
    const own = d.slice(ends[part - 1] ?? 0, end);
    eigenvaluesInto(own, Float64Array.from(own, (_, i) => (i < own.length - 1 ? e[(ends[part - 1] ?? 0) + i]! : 0)));
    for (const value of own) all.push({ value, part });
  }
  all.sort((a, b) => b.value - a.value || a.part - b.part);
  const wanted = smallest ? all.toReversed().slice(0, count) : all.slice(0, count);
  const vectors = new Float64Array(count * n);
  for (const [part, end] of ends.entries()) {
    const first = ends[part - 1] ?? 0;
    const rows = wanted.flatMap((each, i) => (each.part === part ? [i] : []));
    if (rows.length > 0) inverseIterations(d.subarray(first, end), e.subarray(first, end), norm, rows.map((row) => wanted[row]!.value), rows.map((row) => vectors.subarray(row * n + first, row * n + end)));
  }
  return { values: Float64Array.from(all, ({ value }) => value), vectors };
}

/**
 * Eigenvectors of an unreduced tridiagonal matrix for `values`, which go one way, into `vectors`. Each is found by solving with the matrix less its
 * value, beginning from a fixed pseudo-random vector, until the solution has grown as far as rounding lets it.
 */
function inverseIterations(d: Float64Array, e: Float64Array, norm: number, values: readonly number[], vectors: readonly Float64Array[]): void {
  const n = d.length;
  if (n === 1) {
    vectors[0]![0] = 1;
    return;
  }
  const factors = { pivots: new Float64Array(n), above: new Float64Array(n), second: new Float64Array(n), multipliers: new Float64Array(n), swapped: new Uint8Array(n) };
  const floor = Number.EPSILON * norm;
  const grown = 1 / (16 * Math.sqrt(n) * floor);
  const down = values.length > 1 && values.at(-1)! < values[0]! ? -1 : 1;
  let cluster = 0;
  let shift = Number.NaN;
  let state = 1;
  for (const [i, value] of values.entries()) {
    const isNear = i > 0 && Math.abs(value - values[i - 1]!) < CLUSTER * norm;
    if (!isNear) cluster = i;
    // Two values that agree to the last bits would give the same vector twice.
    shift = isNear && (value - shift) * down < 10 * floor ? shift + 10 * floor * down : value;
    factorize(d, e, shift, floor, factors);
    const x = vectors[i]!;
    for (let j = 0; j < n; j += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      x[j] = state / 2 ** 31 - 1;
    }
    normalize(x);
    let more = 1;
    for (let solve = 0; solve < MAX_SOLVES && more >= 0; solve += 1) {
      solveFactored(factors, x, solve > 0);
      for (let other = cluster; other < i; other += 1) orthogonalize(x, vectors[other]!);
      if (normalize(x) >= grown) more -= 1;
    }
    for (let other = cluster; other < i; other += 1) orthogonalize(x, vectors[other]!);
    normalize(x);
  }
}

interface Factors {
  /** Diagonal and the two diagonals above it of the upper factor. */
  readonly pivots: Float64Array;
  readonly above: Float64Array;
  readonly second: Float64Array;
  readonly multipliers: Float64Array;
  /** 1 where row i and the one below it changed places. */
  readonly swapped: Uint8Array;
}

/** T - shift = P L U by elimination with row exchanges; pivots smaller than `floor` are put up to it. */
function factorize(d: Float64Array, e: Float64Array, shift: number, floor: number, { pivots, above, second, multipliers, swapped }: Factors): void {
  const n = d.length;
  let pivot = d[0]! - shift;
  let right = e[0]!;
  for (let i = 0; i < n - 1; i += 1) {
    const below = e[i]!;
    const next = d[i + 1]! - shift;
    const beyond = i + 2 < n ? e[i + 1]! : 0;
    if (Math.abs(pivot) >= Math.abs(below)) {
      if (Math.abs(pivot) < floor) pivot = floor;
      const multiplier = below / pivot;
      swapped[i] = 0;
      multipliers[i] = multiplier;
      pivots[i] = pivot;
      above[i] = right;
      second[i] = 0;
      pivot = next - multiplier * right;
      right = beyond;
    } else {
      const multiplier = pivot / below;
      swapped[i] = 1;
      multipliers[i] = multiplier;
      pivots[i] = below;
      above[i] = next;
      second[i] = beyond;
      pivot = right - multiplier * next;
      right = -multiplier * beyond;
    }
  }
  pivots[n - 1] = Math.abs(pivot) < floor ? floor : pivot;
}

/** x <- inverse(P L U) x, or inverse(U) x for the first solve, whose right side may be anything. */
function solveFactored({ pivots, above, second, multipliers, swapped }: Factors, x: Float64Array, withLower: boolean): void {
  const n = x.length;
  if (withLower) {
    for (let i = 0; i < n - 1; i += 1) {
      const upper = x[i]!;
      const lower = x[i + 1]!;
      x[i] = swapped[i] ? lower : upper;
      x[i + 1] = swapped[i] ? upper - multipliers[i]! * lower : lower - multipliers[i]! * upper;
    }
  }
  x[n - 1]! /= pivots[n - 1]!;
  if (n > 1) x[n - 2] = (x[n - 2]! - above[n - 2]! * x[n - 1]!) / pivots[n - 2]!;
  for (let i = n - 3; i >= 0; i -= 1) x[i] = (x[i]! - above[i]! * x[i + 1]! - second[i]! * x[i + 2]!) / pivots[i]!;
}

/** Makes x a unit vector and returns the length it had. The largest entry first, so that nothing overflows. */
function normalize(x: Float64Array): number {
  let largest = 0;
  for (let i = 0; i < x.length; i += 1) largest = Math.max(largest, Math.abs(x[i]!));
  let squares = 0;
  for (let i = 0; i < x.length; i += 1) squares += (x[i]! / largest) ** 2;
  const length = Math.sqrt(squares);
  for (let i = 0; i < x.length; i += 1) x[i] = x[i]! / largest / length;
  return largest * length;
}

/** x <- x less its part along the unit vector `against`. */
function orthogonalize(x: Float64Array, against: Float64Array): void {
  let product = 0;
  for (let i = 0; i < x.length; i += 1) product += x[i]! * against[i]!;
  for (let i = 0; i < x.length; i += 1) x[i]! -= product * against[i]!;
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

/**
 * The eigenvalues of a tridiagonal matrix into `d`, in no order; `e` is used up. QL without square roots (Pal, Walker & Kahan; Parlett, The Symmetric
 * Eigenvalue Problem, section 8.15), on the squares of the off-diagonal entries, to rounding of the largest entry.
 */
function eigenvaluesInto(d: Float64Array, e: Float64Array): void {
  const n = d.length;
  let size = 0;
  for (let i = 0; i < n; i += 1) {
    size = Math.max(size, Math.abs(d[i]!), Math.abs(e[i]!));
    e[i] = e[i]! * e[i]!;
  }
  const negligible = (0.25 * Number.EPSILON * size) ** 2;
  for (let first = 0; first < n; first += 1) {
    for (let iteration = 0; ; iteration += 1) {
      let last = first;
      while (last < n - 1 && e[last]! > negligible) last += 1;
      if (last === first) break;
      if (iteration === MAX_ITERATIONS) throw new RangeError(`The eigenvalues of a ${n} x ${n} matrix did not converge.`);
      // Wilkinson's shift from the leading 2 x 2 block, then one sweep from `last` up to `first`.
      const root = Math.sqrt(e[first]!);
      const ratio = (d[first + 1]! - d[first]!) / (2 * root);
      const length = Math.sqrt(ratio * ratio + 1);
      const shift = d[first]! - root / (ratio + (ratio < 0 ? -length : length));
      let cosine = 1;
      let sine = 0;
      let gamma = d[last]! - shift;
      let p = gamma * gamma;
      for (let i = last - 1; i >= first; i -= 1) {
        const square = e[i]!;
        const r = p + square;
        if (i < last - 1) e[i + 1] = sine * r;
        const before = cosine;
        cosine = p / r;
        sine = square / r;
        const old = gamma;
        const entry = d[i]!;
        gamma = cosine * (entry - shift) - sine * old;
        d[i + 1] = old + (entry - gamma);
        p = cosine === 0 ? before * square : (gamma * gamma) / cosine;
      }
      e[first] = sine * p;
      e[last] = 0;
      d[first] = shift + gamma;
    }
  }
}
