// Partial sums of |W - W0|^2 (x) and |W0|^2 (y) of each matrix z of a batch, for the CPU to add in f64:
// partials [BATCH, GROUPS * 64], SIZE numbers a matrix. Values and pretrained stand in front (stored-floats.wgsl).
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let start = offsets[id.z];
  var squares = vec2f();
  for (var i = id.x; i < SIZE; i += GROUPS * 64u) {
    let before = pretrained_one(start + i);
    let change = values_one(start + i) - before;
    squares += vec2f(change * change, before * before);
  }
  partials[id.z * GROUPS * 64u + id.x] = squares;
}
