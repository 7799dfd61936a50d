// First stage of lambda * sum of C^2 over all blocks C = Uᵀ(W - W0)V of a batch, which become 2 lambda C on the way, so
// that U C Vᵀ is the gradient. partials[i] belongs to invocation i; each sums CHUNK / 64 entries in a fixed order.
@group(0) @binding(0) var<uniform> lambda: f32;
@group(0) @binding(1) var<storage, read_write> blocks: array<f32>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.y * groups.x + workgroup.x;
  let end = min((group + 1u) * CHUNK, arrayLength(&blocks));
  var squares = 0.0;
  for (var i = group * CHUNK + lane; i < end; i += 64u) {
    let entry = blocks[i];
    squares += entry * entry;
    blocks[i] = 2.0 * lambda * entry;
  }
  let at = group * 64u + lane;
  if (at < arrayLength(&partials)) {
    partials[at] = squares;
  }
}
