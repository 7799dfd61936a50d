// C[m,n] = A B straight from global memory: each invocation keeps 4*ROW_VECTORS x 4*COLUMN_VECTORS sums in registers.
// Neither barriers nor workgroup memory, which is what adapters that run on the CPU want.
//
// Baked beside what matmul-operands.wgsl names: GROUP_X, GROUP_Y (workgroup), TILE_M, TILE_N (what a workgroup covers),
// ROW_VECTORS, COLUMN_VECTORS.
// Flags: A_K_MAJOR (A is [m,k], else [k,m]), B_K_MAJOR (B is [n,k], else [k,n]), M_EDGE, N_EDGE, K_EDGE (not a multiple
// of the tile, or of 4 for k), SHARES_A (below).

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

// A[row, p..p+3], where A is [m,k].
fn a_terms(a_at: u32, row: u32, p: u32) -> vec4f {
  return load_a(a_at + row * K + p, select(0u, terms_left(p), rows_left(row) > 0u));
}

// A[row..row+3, p], where A is [k,m].
fn a_rows(a_at: u32, row: u32, p: u32) -> vec4f {
  return load_a(a_at + p * M + row, select(0u, rows_left(row), terms_left(p) > 0u));
}

@compute @workgroup_size(GROUP_X, GROUP_Y)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
//#if SHARES_A
  @builtin(subgroup_size) lanes: u32,
//#end
) {
  let row = group.y * TILE_M + local.y * (4u * ROW_VECTORS);
  let column = group.x * TILE_N + local.x * (4u * COLUMN_VECTORS);
  let a_at = a_start(group.z);
  let b_at = b_start(group.z);
//#for r ROW_VECTORS
//#for i 4
  var a$r_$i: vec4f;
//#for c COLUMN_VECTORS
  var sum$r_$i_$c = vec4f();
//#next
//#next
//#next
  let k_begin = k_start(group.z);
  let k_end = min(k_begin + SPLIT_LENGTH, K);
  for (var p = k_begin; p < k_end; p += 4u) {
    // a<row> holds the terms p..p+3 of one row.
//#if SHARES_A
    // All lanes need the same rows. A load at 8 different addresses costs llvmpipe 8 scalar loads with checks, a
    // shuffle one instruction; so every lane loads a part of the rows and passes it round.
    if (lanes >= GROUP_X) {
      var own: array<vec4f, ROW_VECTORS * 4u / GROUP_X>;
      for (var v = 0u; v < ROW_VECTORS * 4u / GROUP_X; v += 1u) {
        let part = v * GROUP_X + local.x;
//#if A_K_MAJOR
        own[v] = a_terms(a_at, row + part, p);
//#else
        own[v] = a_rows(a_at, row + part % ROW_VECTORS * 4u, p + part / ROW_VECTORS);
//#end
      }
//#for r ROW_VECTORS
//#if A_K_MAJOR
//#for i 4
      a$r_$i = subgroupShuffle(own[($ru * 4u + $iu) / GROUP_X], ($ru * 4u + $iu) % GROUP_X);
//#next
//#else
//#for s 4
      let rows$r_$s = subgroupShuffle(own[($su * ROW_VECTORS + $ru) / GROUP_X], ($su * ROW_VECTORS + $ru) % GROUP_X);
//#next
//#for i 4
      a$r_$i = vec4f(rows$r_0[$i], rows$r_1[$i], rows$r_2[$i], rows$r_3[$i]);
//#next
//#end
//#next
    } else
//#end
    {
//#for r ROW_VECTORS
//#if A_K_MAJOR
//#for i 4
      a$r_$i = a_terms(a_at, row + $ru * 4u + $iu, p);
//#next
//#else
//#for s 4
      let rows$r_$s = a_rows(a_at, row + $ru * 4u, p + $su);
//#next
//#for i 4
      a$r_$i = vec4f(rows$r_0[$i], rows$r_1[$i], rows$r_2[$i], rows$r_3[$i]);
//#next
//#end
//#next
    }
//#for c COLUMN_VECTORS
//#if B_K_MAJOR
//#for j 4
    {
      let column_$j = column + $cu * 4u + $ju;
      let b_terms = load_b(b_at + column_$j * K + p, select(0u, terms_left(p), columns_left(column_$j) > 0u));
//#for r ROW_VECTORS
//#for i 4
      sum$r_$i_$c[$j] += dot(a$r_$i, b_terms);
//#next
//#next
    }
//#next
//#else
//#for s 4
    {
      let columns = column + $cu * 4u;
      let b_columns = load_b(b_at + (p + $su) * N + columns, select(0u, columns_left(columns), terms_left(p + $su) > 0u));
//#for r ROW_VECTORS
//#for i 4
      sum$r_$i_$c += a$r_$i[$s] * b_columns;
//#next
//#next
    }
//#next
//#end
//#next
  }
  let c_at = c_start(group.z);
//#for r ROW_VECTORS
//#for i 4
//#for c COLUMN_VECTORS
  if (rows_left(row + $ru * 4u + $iu) > 0u) {
    store_c(c_at + (row + $ru * 4u + $iu) * N + column + $cu * 4u, sum$r_$i_$c, columns_left(column + $cu * 4u));
  }
//#next
//#next
//#next
}
