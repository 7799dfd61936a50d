// C[m,n] = A B for few rows on a GPU, A [m,k] and B [n,k]: a workgroup owns COLUMNS columns and ROWS rows, its LANES
// invocations walk k side by side, so that loads coalesce, and their sums are added up as a tree. The order of a sum does
// not depend on how many rows there are.
//
// Baked beside what matmul-operands.wgsl names: LANES (a power of two), ROWS, COLUMNS. C is bound as single floats.

const SUMS = ROWS * COLUMNS;

var<workgroup> partials: array<f32, SUMS * LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * ROWS;
  let column = group.x * COLUMNS;
  let a_at = a_start(group.z);
  let b_at = b_start(group.z);
//#for r ROWS
//#for c COLUMNS
  var sum$r_$c = 0.0;
//#next
//#next
  let k_begin = k_start(group.z);
  let k_end = min(k_begin + SPLIT_LENGTH, K);
  for (var p = k_begin + 4u * lane; p < k_end; p += 4u * LANES) {
//#for c COLUMNS
    let b$c = b_terms(b_at, column + $cu, p);
//#next
//#for r ROWS
    {
      let a = a_terms(a_at, row + $ru, p);
//#for c COLUMNS
      sum$r_$c += dot(a, b$c);
//#next
    }
//#next
  }
//#for r ROWS
//#for c COLUMNS
  partials[($ru * COLUMNS + $cu) * LANES + lane] = sum$r_$c;
//#next
//#next
  workgroupBarrier();
  for (var width = LANES / 2u; width > 0u; width /= 2u) {
    for (var i = lane; i < SUMS * width; i += LANES) {
      let at = i / width * LANES + i % width;
      partials[at] += partials[at + width];
    }
    workgroupBarrier();
  }
  let c_at = c_start(group.z);
  for (var i = lane; i < SUMS; i += LANES) {
    store_one(c_at, row + i / COLUMNS, column + i % COLUMNS, partials[i * LANES]);
  }
}
