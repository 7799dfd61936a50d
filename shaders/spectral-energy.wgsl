// Partial sums of squares of each matrix z of a batch, SIZE numbers from offsets[z] on, for the CPU to add in f64:
// partials [BATCH, GROUPS * 64].
@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let start = offsets[id.z];
  var squares = 0.0;
  for (var i = id.x; i < SIZE; i += GROUPS * 64u) {
    squares += values[start + i] * values[start + i];
  }
  partials[id.z * GROUPS * 64u + id.x] = squares;
}
