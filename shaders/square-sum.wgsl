// partials[FIRST + group] = sum of squares of CHUNK consecutive gradients: first stage of the global norm.
@group(0) @binding(0) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;

var<workgroup> partial: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let chunk = group.y * groups.x + group.x;
  if (chunk >= CHUNKS) {
    return;
  }
  let end = min((chunk + 1u) * CHUNK, COUNT) / 4u;
  var squares = vec4f();
  for (var i = chunk * CHUNK / 4u + lane; i < end; i += LANES) {
    squares += gradients[i] * gradients[i];
  }
  partial[lane] = (squares.x + squares.y) + (squares.z + squares.w);
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    partials[FIRST + chunk] = partial[0];
  }
}
