// How the matmul kernels see their operands: where matrix z begins, and loads of four neighbouring elements. The bindings
// a, a_minus and b stand in front (stored-floats.wgsl).
//
// Baked: M, N, K, BATCH, SPLIT_LENGTH (the part of K that one workgroup sums), *_BINDING, *_OFFSET, *_STRIDE (elements).
// Flags: A_K_MAJOR (A is [m,k], else [k,m]), B_K_MAJOR (B is [n,k], else [k,n]), A_VECTOR, B_VECTOR, C_VECTOR (every
// row begins at, and holds, whole vec4s), A_MINUS (A is a - a_minus), A_TABLE, B_TABLE, C_TABLE (matrix z begins at
// table[z]), USES_TABLE, SKIPS, SKIPS_BELOW, SKIPS_ROWS, SKIPS_TERMS, READS_STARTS (what is left out), ACCUMULATE, SPLIT, C_SINGLE (C is
// stored float by float), M_EDGE, N_EDGE, K_EDGE (tiles reach past the matrix; 0 is read there).

//#if C_VECTOR
@group(0) @binding(C_BINDING) var<storage, read_write> c: array<vec4f>;
//#else
@group(0) @binding(C_BINDING) var<storage, read_write> c: array<f32>;
//#end
//#if USES_TABLE
@group(0) @binding(TABLE_BINDING) var<storage, read> table: array<u32>;
//#end

//#if READS_STARTS
@group(0) @binding(STARTS_BINDING) var<storage, read> starts: array<u32>;
//#end

//#if SKIPS
// Whether nobody reads the tile of C that begins at row, column.
fn is_skipped(z: u32, row: u32, column: u32) -> bool {
  var skipped = false;
//#if SKIPS_BELOW
  skipped = column + TILE_N <= row;
//#end
//#if SKIPS_ROWS
  skipped = skipped || row + TILE_M <= starts[z % BATCH];
//#end
  return skipped;
}
//#end

// Grid z counts the matrices of the batch, once per split of K. Partial sums are laid out the same way, so c is indexed
// by grid z itself.
fn a_start(z: u32) -> u32 {
//#if A_TABLE
  return table[z % BATCH];
//#else
  return A_OFFSET + (z % BATCH) * A_STRIDE;
//#end
}

fn b_start(z: u32) -> u32 {
//#if B_TABLE
  return table[z % BATCH];
//#else
  return B_OFFSET + (z % BATCH) * B_STRIDE;
//#end
}

fn c_start(z: u32) -> u32 {
//#if C_TABLE
  return table[z];
//#else
  return C_OFFSET + z * C_STRIDE;
//#end
}

fn k_start(z: u32) -> u32 {
//#if SPLIT
  return z / BATCH * SPLIT_LENGTH;
//#else
  return 0u;
//#end
}

// The first term that is not known to be zero.
fn first_term(z: u32) -> u32 {
//#if SKIPS_TERMS
  return max(k_start(z), starts[z % BATCH]);
//#else
  return k_start(z);
//#end
}

// Elements at, at+1, at+2, at+3 of A, zero from the element `count` on (whole vectors: all or none).
fn load_a(at: u32, count: u32) -> vec4f {
//#if A_VECTOR
  var four = a_four(at / 4u);
//#if A_MINUS
  four -= a_minus_four(at / 4u);
//#end
  return select(vec4f(), four, count > 0u);
//#else
  var four = vec4f(a_one(at), a_one(at + 1u), a_one(at + 2u), a_one(at + 3u));
//#if A_MINUS
  four -= vec4f(a_minus_one(at), a_minus_one(at + 1u), a_minus_one(at + 2u), a_minus_one(at + 3u));
//#end
  return select(vec4f(), four, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
//#end
}

// Elements at, at+1, at+2, at+3 of B, zero from the element `count` on (whole vectors: all or none).
fn load_b(at: u32, count: u32) -> vec4f {
//#if B_VECTOR
  return select(vec4f(), b_four(at / 4u), count > 0u);
//#else
  let four = vec4f(b_one(at), b_one(at + 1u), b_one(at + 2u), b_one(at + 3u));
  return select(vec4f(), four, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
//#end
}

// What is left of each dimension from an index on; 4 stands for enough.
fn rows_left(row: u32) -> u32 {
//#if M_EDGE
  return select(0u, M - row, row < M);
//#else
  return 4u;
//#end
}

fn columns_left(column: u32) -> u32 {
//#if N_EDGE
  return select(0u, N - column, column < N);
//#else
  return 4u;
//#end
}

fn terms_left(p: u32) -> u32 {
//#if K_EDGE
  return select(0u, K - p, p < K);
//#else
  return 4u;
//#end
}

// A[row, p..p+3] or A[row..row+3, p], whichever lies together in memory; and so for B.
//#if A_K_MAJOR
fn a_terms(a_at: u32, row: u32, p: u32) -> vec4f {
  return load_a(a_at + row * K + p, select(0u, terms_left(p), rows_left(row) > 0u));
}
//#else
fn a_rows(a_at: u32, row: u32, p: u32) -> vec4f {
  return load_a(a_at + p * M + row, select(0u, rows_left(row), terms_left(p) > 0u));
}
//#end

//#if B_K_MAJOR
fn b_terms(b_at: u32, column: u32, p: u32) -> vec4f {
  return load_b(b_at + column * K + p, select(0u, terms_left(p), columns_left(column) > 0u));
}
//#else
fn b_columns(b_at: u32, column: u32, p: u32) -> vec4f {
  return load_b(b_at + p * N + column, select(0u, columns_left(column), terms_left(p) > 0u));
}
//#end

//#if C_SINGLE
// Writes, or adds to, C[row, column] if it exists.
fn store_one(c_at: u32, row: u32, column: u32, value: f32) {
  if (columns_left(column) > 0u && rows_left(row) > 0u) {
    let at = c_at + row * N + column;
//#if ACCUMULATE
    c[at] += value;
//#else
    c[at] = value;
//#end
  }
}
//#else
// Writes, or adds to, C[row, column..column+3] as far as they exist.
fn store_columns(c_at: u32, row: u32, column: u32, four: vec4f) {
  let at = c_at + row * N + column;
  let count = select(0u, columns_left(column), rows_left(row) > 0u);
//#if C_VECTOR
  if (count > 0u) {
//#if ACCUMULATE
    c[at / 4u] += four;
//#else
    c[at / 4u] = four;
//#end
  }
//#else
//#for j 4
  if (count > $ju) {
//#if ACCUMULATE
    c[at + $ju] += four[$j];
//#else
    c[at + $ju] = four[$j];
//#end
  }
//#next
//#end
}
//#end
