// C[m,n] = A B straight from global memory: each invocation keeps 4*ROW_VECTORS x 4*COLUMN_VECTORS sums in registers.
// Neither barriers nor workgroup memory, which is what adapters that run on the CPU want.
//
// Baked beside what matmul-operands.wgsl names: GROUP_X, GROUP_Y (workgroup), TILE_M, TILE_N (what a workgroup covers),
// ROW_VECTORS, COLUMN_VECTORS.
// Flags: A_K_MAJOR (A is [m,k], else [k,m]), B_K_MAJOR (B is [n,k], else [k,n]), M_EDGE, N_EDGE, K_EDGE (not a multiple
// of the tile, or of 4 for k).

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

@compute @workgroup_size(GROUP_X, GROUP_Y)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let row = group.y * TILE_M + local.y * (4u * ROW_VECTORS);
  let column = group.x * TILE_N + local.x * (4u * COLUMN_VECTORS);
//#if SKIPS
  if (row >= M || column >= N) {
    return;
  }
//#end
  let a_at = a_start(group.z);
  let b_at = b_start(group.z);
//#for r ROW_VECTORS
//#for i 4
//#for c COLUMN_VECTORS
  var sum$r_$i_$c = vec4f();
//#next
//#next
//#next
  let k_begin = k_start(group.z);
  let k_end = min(k_begin + SPLIT_LENGTH, K);
  for (var p = k_begin; p < k_end; p += 4u) {
    let terms = terms_left(p);
    // a<row>[s] and b<s> (columns), for the four terms p + s.
//#if A_K_MAJOR
//#for r ROW_VECTORS
//#for i 4
    let a$r_$i = load_a(a_at + (row + $ru * 4u + $iu) * K + p, min(terms, select(0u, 4u, rows_left(row + $ru * 4u) > $iu)));
//#next
//#next
//#else
//#for r ROW_VECTORS
//#for s 4
    let a_term$r_$s = load_a(a_at + (p + $su) * M + row + $ru * 4u, select(0u, rows_left(row + $ru * 4u), terms > $su));
//#next
//#for i 4
    let a$r_$i = vec4f(a_term$r_0[$i], a_term$r_1[$i], a_term$r_2[$i], a_term$r_3[$i]);
//#next
//#next
//#end
//#for c COLUMN_VECTORS
//#if B_K_MAJOR
//#for j 4
    let b_column$c_$j = load_b(b_at + (column + $cu * 4u + $ju) * K + p, min(terms, select(0u, 4u, columns_left(column + $cu * 4u) > $ju)));
//#next
//#for s 4
    let b$c_$s = vec4f(b_column$c_0[$s], b_column$c_1[$s], b_column$c_2[$s], b_column$c_3[$s]);
//#next
//#else
//#for s 4
    let b$c_$s = load_b(b_at + (p + $su) * N + column + $cu * 4u, select(0u, columns_left(column + $cu * 4u), terms > $su));
//#next
//#end
//#for r ROW_VECTORS
//#for i 4
//#for s 4
    sum$r_$i_$c += a$r_$i[$s] * b$c_$s;
//#next
//#next
//#next
//#next
  }
  let c_at = c_start(group.z);
//#for r ROW_VECTORS
//#for i 4
//#for c COLUMN_VECTORS
  if (rows_left(row + $ru * 4u) > $iu) {
    store_c(c_at + (row + $ru * 4u + $iu) * N + column + $cu * 4u, sum$r_$i_$c, columns_left(column + $cu * 4u));
  }
//#next
//#next
//#next
}
