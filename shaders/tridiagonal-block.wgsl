// The triangular factor of a panel of reflectors, negated: H1 H2 ... = I - Vᵀ T V for the rows V of the panel, with
// inverse(T) = I + the part of V Vᵀ above its diagonal, since the reflectors have |v|² = 2 (compact WY form, Puglisi 1992).
// One workgroup a panel, one lane a column. products and factor [panels, PANEL, PANEL].
//
// Baked: PANEL.
@group(0) @binding(0) var<storage, read> products: array<f32>;
@group(0) @binding(1) var<storage, read_write> factor: array<f32>;

@compute @workgroup_size(PANEL)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) column: u32) {
  let at = group.x * PANEL * PANEL;
  for (var below = column + 1u; below < PANEL; below += 1u) {
    factor[at + below * PANEL + column] = 0.0;
  }
  for (var i = 0u; i <= column; i += 1u) {
    let row = column - i;
    var value = select(0.0, -1.0, i == 0u);
    for (var j = row + 1u; j <= column; j += 1u) {
      value -= products[at + row * PANEL + j] * factor[at + j * PANEL + column];
    }
    factor[at + row * PANEL + column] = value;
  }
}
