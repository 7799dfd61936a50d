// C[m,n] = A B straight from global memory: each invocation keeps 4*ROW_VECTORS x 4*COLUMN_VECTORS sums in registers.
// Neither barriers nor workgroup memory, which is what adapters that run on the CPU want.
//
// Baked beside what matmul-operands.wgsl names: GROUP_X, GROUP_Y (workgroup), TILE_M, TILE_N (what a workgroup covers),
// ROW_VECTORS, COLUMN_VECTORS.
// Flag: SHARES_A (below).

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
      let b_column = b_terms(b_at, column + $cu * 4u + $ju, p);
//#for r ROW_VECTORS
//#for i 4
      sum$r_$i_$c[$j] += dot(a$r_$i, b_column);
//#next
//#next
    }
//#next
//#else
//#for s 4
    {
      let b_row = b_columns(b_at, column + $cu * 4u, p + $su);
//#for r ROW_VECTORS
//#for i 4
      sum$r_$i_$c += a$r_$i[$s] * b_row;
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
  store_columns(c_at, row + $ru * 4u + $iu, column + $cu * 4u, sum$r_$i_$c);
//#next
//#next
//#next
}
