// outside[z] = B[z] - outside[z] over the SIZE numbers of each matrix z, B from element starts[z] of its buffer on: what a
// projection leaves of B.
@group(0) @binding(0) var<storage, read> factors: array<f32>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read_write> outside: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= SIZE) {
    return;
  }
  let at = id.y * SIZE + id.x;
  outside[at] = factors[starts[id.y] + id.x] - outside[at];
}
