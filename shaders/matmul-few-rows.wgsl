// C[m,n] = A B for few rows, A [m,k] and B [n,k]: an invocation owns COLUMNS columns and all ROWS rows of them, so that B,
// which is nearly all there is to read, is loaded once and no row is computed for nothing. No barriers.
//
// The terms of a sum are added as matmul-direct.wgsl adds them: a row of C has the same bits whichever of the two makes it.
//
// Baked beside what matmul-operands.wgsl names: GROUP_X, ROWS, COLUMNS. C is bound as single floats.

@compute @workgroup_size(GROUP_X)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let row = group.y * ROWS;
  let column = (group.x * GROUP_X + local.x) * COLUMNS;
  let a_at = a_start(group.z);
  let b_at = b_start(group.z);
//#for r ROWS
//#for c COLUMNS
  var sum$r_$c = 0.0;
//#next
//#next
  let k_begin = k_start(group.z);
  let k_end = min(k_begin + SPLIT_LENGTH, K);
  for (var p = k_begin; p < k_end; p += 4u) {
//#for c COLUMNS
    let b$c = b_terms(b_at, column + $cu, p);
//#next
//#for r ROWS
    {
      let a = a_terms(a_at, row + $ru, p);
//#for c COLUMNS
      sum$r_$c += (a[0] * b$c[0] + a[1] * b$c[1]) + (a[2] * b$c[2] + a[3] * b$c[3]);
//#next
    }
//#next
  }
  let c_at = c_start(group.z);
//#for r ROWS
//#for c COLUMNS
  store_one(c_at, row + $ru, column + $cu, sum$r_$c);
//#next
//#next
}
