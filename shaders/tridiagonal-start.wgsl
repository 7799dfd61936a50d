// Begins the tridiagonalisation of each matrix z of a batch: a [BATCH, SIZE, SIZE] <- gram [BATCH, N, N] over its trace, of which
// only the part on and above the diagonal is there, with zero rows and columns up to SIZE; so is only that of a, whole in diagonal blocks of ROWS. Of trace 1, no square on the way leaves the range of f32.
//
// Baked: N, SIZE, ROWS, LANES.
@group(0) @binding(0) var<storage, read> gram: array<f32>;
@group(0) @binding(1) var<storage, read_write> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> traces: array<f32>;
@group(0) @binding(3) var<storage, read_write> steps: array<u32>;

var<workgroup> sums: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let z = group.z;
  let source = z * N * N;
  var sum = 0.0;
  for (var i = lane; i < N; i += LANES) {
    sum += gram[source + i * N + i];
  }
  sums[lane] = sum;
  workgroupBarrier();
  var trace = 0.0;
  for (var i = 0u; i < LANES; i += 1u) {
    trace += sums[i];
  }
  // A matrix of zeros stays one.
  let scale = select(0.0, 1.0 / trace, trace > 0.0);
  for (var i = 0u; i < ROWS; i += 1u) {
    let row = group.x * ROWS + i;
    let to = (z * SIZE + row) * SIZE;
    for (var column = row / ROWS * ROWS + lane; column < SIZE; column += LANES) {
      let low = min(row, column);
      let high = max(row, column);
      var value = 0.0;
      if (high < N) {
        value = gram[source + low * N + high] * scale;
      }
      a[to + column] = value;
    }
  }
  if (group.x == 0u && lane == 0u) {
    traces[z] = trace;
    steps[z] = 0u;
  }
}
