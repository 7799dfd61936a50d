// One Newton-Schulz step towards orthonormal columns (Björck & Bowie 1971): with G = YᵀY and D the lengths of the columns, Y <- Y M where
// M = D⁻¹ (3/2 - D⁻¹ G D⁻¹ / 2). Reads G on and above its diagonal, writes M [BATCH, COLUMNS, COLUMNS], and the lengths, which are 0 for columns of zeros.
//
// Baked: COLUMNS.
@group(0) @binding(0) var<storage, read> gram: array<f32>;
@group(0) @binding(1) var<storage, read_write> step: array<f32>;
@group(0) @binding(2) var<storage, read_write> lengths: array<f32>;

fn inverse_length(square: f32) -> f32 {
  return select(0.0, inverseSqrt(square), square > 0.0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  let row = id.y;
  let at = id.z * COLUMNS * COLUMNS;
  if (column >= COLUMNS) {
    return;
  }
  let own = inverse_length(gram[at + row * COLUMNS + row]);
  let other = inverse_length(gram[at + column * COLUMNS + column]);
  let cross = gram[at + min(row, column) * COLUMNS + max(row, column)] * own * other;
  step[at + row * COLUMNS + column] = own * (select(0.0, 1.5, row == column) - 0.5 * cross);
  if (row == column) {
    lengths[id.z * COLUMNS + row] = sqrt(gram[at + row * COLUMNS + row]);
  }
}
