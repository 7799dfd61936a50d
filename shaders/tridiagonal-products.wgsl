// What a Householder step reads of the matrix: its product with the reflector v of the last step, and those of the rows that the panel has so far in
// `factors` (tridiagonal-reflect.wgsl). The matrix is symmetric, so only the part on and above the diagonal blocks is read: a workgroup takes ROWS rows
// from their diagonal block on, and what it reads behind that block counts twice, for its own rows and, transposed, for those further down.
//
//   products [BATCH, SIZE + 2 PANEL]        of the rows of a from their diagonal block on, and of the rows of factors
//   behind   [BATCH, SIZE / ROWS, SIZE]     row b: of the columns of row block b behind its diagonal block
//
// LANES lanes share a row and are added in order. Baked: SIZE, PANEL, LANES, ROWS.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> factors: array<f32>;
@group(0) @binding(2) var<storage, read> reflectors: array<f32>;
@group(0) @binding(3) var<storage, read> steps: array<u32>;
@group(0) @binding(4) var<storage, read_write> products: array<f32>;
@group(0) @binding(5) var<storage, read_write> behind: array<f32>;

var<workgroup> sums: array<f32, ROWS * LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let z = group.y;
  let step = steps[z];
  let done = step - 1u;
  let first = group.x * ROWS;
  // Rows of a before the step are done with; rows of factors from the panel's step on are of the panel before.
  if (first < SIZE && first + ROWS <= step) {
    return;
  }
  if (first >= SIZE && (first - SIZE) % PANEL >= done % PANEL) {
    return;
  }
  let v = (z * SIZE + done) * SIZE;
//#for r ROWS
  var sum$r = 0.0;
//#next
  if (first < SIZE) {
    let at = (z * SIZE + first) * SIZE;
    let to = (z * (SIZE / ROWS) + group.x) * SIZE;
    // v is zero before the step, in rows and columns.
//#for r ROWS
    let own$r = reflectors[v + first + $ru];
//#next
    for (var c = max(first, step) + lane; c < SIZE; c += LANES) {
      let x = reflectors[v + c];
      var transposed = 0.0;
//#for r ROWS
      let entry$r = a[at + $ru * SIZE + c];
      sum$r += entry$r * x;
      transposed += entry$r * own$r;
//#next
      behind[to + c] = transposed;
    }
  } else {
    let at = (z * 2u * PANEL + first - SIZE) * SIZE;
    for (var c = step + lane; c < SIZE; c += LANES) {
      let x = reflectors[v + c];
//#for r ROWS
      sum$r += factors[at + $ru * SIZE + c] * x;
//#next
    }
  }
//#for r ROWS
  sums[$ru * LANES + lane] = sum$r;
//#next
  workgroupBarrier();
  for (var r = lane; r < ROWS; r += LANES) {
    var sum = 0.0;
    for (var i = 0u; i < LANES; i += 1u) {
      sum += sums[r * LANES + i];
    }
    products[z * (SIZE + 2u * PANEL) + first + r] = sum;
  }
}
