// C[m,n] = A B straight from global memory: each invocation keeps 4*ROW_VECTORS x 4*COLUMN_VECTORS sums in registers.
// Neither barriers nor workgroup memory, which is what adapters that run on the CPU want.
//
// Baked beside what matmul-operands.wgsl names: GROUP_X, GROUP_Y (workgroup), TILE_M, TILE_N (what a workgroup covers),
// ROW_VECTORS, COLUMN_VECTORS.
// Flag: SHARES_A (the workgroup is one subgroup). All lanes of a workgroup need the same rows of A. A load whose address differs between lanes costs
// llvmpipe one scalar load with its checks per lane, a uniform one in a loop is no better, a shuffle is one instruction;
// so every lane loads a part of the rows and the lanes pass them round.

@compute @workgroup_size(GROUP_X, GROUP_Y)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
//#if SKIPS
  if (is_skipped(group.z, group.y * TILE_M, group.x * TILE_N)) {
    return;
  }
//#end
  let row = group.y * TILE_M + local.y * (4u * ROW_VECTORS);
  let column = group.x * TILE_N + local.x * (4u * COLUMN_VECTORS);
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
  for (var p = first_term(group.z); p < k_end; p += 4u) {
//#if SHARES_A
    var own: array<vec4f, ROW_VECTORS * 4u / GROUP_X>;
    for (var v = 0u; v < ROW_VECTORS * 4u / GROUP_X; v += 1u) {
      let part = v * GROUP_X + local.x;
//#if A_K_MAJOR
      own[v] = a_terms(a_at, row + part, p);
//#else
      own[v] = a_rows(a_at, row + part % ROW_VECTORS * 4u, p + part / ROW_VECTORS);
//#end
    }
//#end
    // b<c>_<s>: the invocation's columns of B at the term p + s.
//#for c COLUMN_VECTORS
//#if B_K_MAJOR
//#for j 4
    let column$c_$j = b_terms(b_at, column + $cu * 4u + $ju, p);
//#next
//#for s 4
    let b$c_$s = vec4f(column$c_0[$s], column$c_1[$s], column$c_2[$s], column$c_3[$s]);
//#next
//#else
//#for s 4
    let b$c_$s = b_columns(b_at, column + $cu * 4u, p + $su);
//#next
//#end
//#next
    // Row by row, all four terms at once, so that a sum leaves its register once in four products.
//#for r ROW_VECTORS
    {
//#for i 4
//#if SHARES_A
//#if A_K_MAJOR
      let four$i = subgroupShuffle(own[($ru * 4u + $iu) / GROUP_X], ($ru * 4u + $iu) % GROUP_X);
//#else
      let four$i = subgroupShuffle(own[($iu * ROW_VECTORS + $ru) / GROUP_X], ($iu * ROW_VECTORS + $ru) % GROUP_X);
//#end
//#else
//#if A_K_MAJOR
      let four$i = a_terms(a_at, row + $ru * 4u + $iu, p);
//#else
      let four$i = a_rows(a_at, row + $ru * 4u, p + $iu);
//#end
//#end
//#next
//#for i 4
//#if A_K_MAJOR
      let a$i = four$i;
//#else
      let a$i = vec4f(four0[$i], four1[$i], four2[$i], four3[$i]);
//#end
//#for c COLUMN_VECTORS
      sum$r_$i_$c += (a$i[0] * b$c_0 + a$i[1] * b$c_1) + (a$i[2] * b$c_2 + a$i[3] * b$c_3);
//#next
//#next
    }
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
