// Sums of columns: y[p, i] = sum of x[row, i % WIDTH] over the rows of part p, p = 0, 1, ... of ROWS_PER_PART rows each,
// in the order of the rows. Run twice, the second time over the parts, it sums a tall matrix in one fixed order.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i >= COLUMNS) {
    return;
  }
  let first = id.y * ROWS_PER_PART;
  let last = min(first + ROWS_PER_PART, ROWS);
  var sum = 0.0;
  for (var row = first; row < last; row++) {
    sum += x[row * WIDTH + i % WIDTH];
  }
  //#if ACCUMULATE
  y[id.y * COLUMNS + i] += sum;
  //#else
  y[id.y * COLUMNS + i] = sum;
  //#end
}
