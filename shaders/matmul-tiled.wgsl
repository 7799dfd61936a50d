// C[m,n] = A B for real GPUs: a workgroup of 16x16 invocations covers TILE_M x 64 of C and stages 16 terms of A and B at a
// time in workgroup memory; each invocation keeps 4*ROW_VECTORS x 4 sums in registers. Staged and read as vec4, in the
// order the matrices have in memory, so loads from global memory coalesce; transposing happens in registers, for free.
//
// Baked beside what matmul-operands.wgsl names: TILE_M, ROW_VECTORS.

const TILE_N = 64u;
const TILE_K = 16u;
const THREADS = 256u;
const COLUMN_FOURS = TILE_N / 4u;
const ROW_FOURS = TILE_M / 4u;

//#if A_K_MAJOR
// [row][four terms]. Eight neighbouring invocations read one address, which is a broadcast.
var<workgroup> stage_a: array<vec4f, TILE_M * 4u>;
//#else
// [term][four rows]
var<workgroup> stage_a: array<vec4f, TILE_K * ROW_FOURS>;
//#end
//#if B_K_MAJOR
// [column][four terms], a column taking 5 vectors so that 8 neighbours read from 32 different banks; column 4x+j is
// kept at 16j+x, so that the neighbours' columns are next to each other.
var<workgroup> stage_b: array<vec4f, TILE_N * 5u>;
//#else
// [term][four columns]
var<workgroup> stage_b: array<vec4f, TILE_K * COLUMN_FOURS>;
//#end

@compute @workgroup_size(16, 16)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
//#if SKIPS
  if (is_skipped(group.z, group.y * TILE_M, group.x * TILE_N)) {
    return;
  }
//#end
  let first_row = group.y * TILE_M;
  let first_column = group.x * TILE_N;
  let a_at = a_start(group.z);
  let b_at = b_start(group.z);
//#for r ROW_VECTORS
//#for i 4
  var sum$r_$i = vec4f();
//#next
//#next
  let k_begin = k_start(group.z);
  let k_end = min(k_begin + SPLIT_LENGTH, K);
  for (var p = first_term(group.z); p < k_end; p += TILE_K) {
//#for r ROW_VECTORS
    {
      let item = $ru * THREADS + index;
//#if A_K_MAJOR
      stage_a[item] = a_terms(a_at, first_row + item / 4u, p + item % 4u * 4u);
//#else
      stage_a[item] = a_rows(a_at, first_row + item % ROW_FOURS * 4u, p + item / ROW_FOURS);
//#end
    }
//#next
//#if B_K_MAJOR
    let column = index / 4u;
    stage_b[(column % 4u * COLUMN_FOURS + column / 4u) * 5u + index % 4u] = b_terms(b_at, first_column + column, p + index % 4u * 4u);
//#else
    stage_b[index] = b_columns(b_at, first_column + index % COLUMN_FOURS * 4u, p + index / COLUMN_FOURS);
//#end
    workgroupBarrier();
    // Four terms at a time: b<term> holds the invocation's four columns, a<row> the four terms of one row.
    for (var q = 0u; q < 4u; q += 1u) {
//#if B_K_MAJOR
//#for j 4
      let column$j = stage_b[($ju * COLUMN_FOURS + local.x) * 5u + q];
//#next
//#for s 4
      let b$s = vec4f(column0[$s], column1[$s], column2[$s], column3[$s]);
//#next
//#else
//#for s 4
      let b$s = stage_b[(q * 4u + $su) * COLUMN_FOURS + local.x];
//#next
//#end
//#for r ROW_VECTORS
//#if A_K_MAJOR
//#for i 4
      let a$r_$i = stage_a[((local.y * ROW_VECTORS + $ru) * 4u + $iu) * 4u + q];
//#next
//#else
//#for s 4
      let rows$r_$s = stage_a[(q * 4u + $su) * ROW_FOURS + local.y * ROW_VECTORS + $ru];
//#next
//#for i 4
      let a$r_$i = vec4f(rows$r_0[$i], rows$r_1[$i], rows$r_2[$i], rows$r_3[$i]);
//#next
//#end
//#for i 4
//#for s 4
      sum$r_$i += a$r_$i[$s] * b$s;
//#next
//#next
//#next
    }
    workgroupBarrier();
  }
  let c_at = c_start(group.z);
//#for r ROW_VECTORS
//#for i 4
  store_columns(c_at, first_row + (local.y * ROW_VECTORS + $ru) * 4u + $iu, first_column + local.x * 4u, sum$r_$i);
//#next
//#next
}
