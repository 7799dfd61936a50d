// Gradient of the per-head norm's two gains over ROWS_PER_PART rows each: the sum over the rows and the heads of a kind
// of dy * x * inverse. parts[p] holds the query gain's, then the key gain's; column-sum.wgsl adds the parts.
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> inverse: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= 2u * HEAD_DIM) {
    return;
  }
  let first = id.y * ROWS_PER_PART;
  let last = min(first + ROWS_PER_PART, ROWS);
  let isKey = id.x >= HEAD_DIM;
  let begin = select(0u, QUERIES, isKey);
  let end = select(QUERIES, NORMED, isKey);
  var sum = 0.0;
  for (var row = first; row < last; row++) {
    for (var head = begin; head < end; head++) {
      let at = (row * HEADS + head) * HEAD_DIM + id.x % HEAD_DIM;
      sum += dy[at] * x[at] * inverse[row * NORMED + head];
    }
  }
  parts[id.y * 2u * HEAD_DIM + id.x] = sum;
}
