// Squared lengths of the columns of W V - U diag(sigma) for each matrix z of a batch, what is left of a singular pair: products and u [BATCH, ROWS, COLUMNS]
// -> squares [BATCH, COLUMNS].
//
// Baked: ROWS, COLUMNS.
@group(0) @binding(0) var<storage, read> products: array<f32>;
@group(0) @binding(1) var<storage, read> u: array<f32>;
@group(0) @binding(2) var<storage, read> sigma: array<f32>;
@group(0) @binding(3) var<storage, read_write> squares: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  if (column >= COLUMNS) {
    return;
  }
  let length = sigma[id.y * COLUMNS + column];
  var sum = 0.0;
  for (var row = 0u; row < ROWS; row += 1u) {
    let at = (id.y * ROWS + row) * COLUMNS + column;
    let rest = products[at] - length * u[at];
    sum += rest * rest;
  }
  squares[id.y * COLUMNS + column] = sum;
}
