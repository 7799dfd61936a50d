// First stage of lambda * |W - W0|^2 over runs of SIZE numbers, run z from element starts[z] on, and its gradient
// 2 lambda (W - W0) added in place. partials[i] belongs to invocation i; each sums CHUNK / 64 numbers in a fixed order.
//
// Baked: SIZE, CHUNK, CHUNKS (chunks of a run). The pretrained numbers stand in front (stored-floats.wgsl).
@group(0) @binding(0) var<uniform> lambda: f32;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(4) var<storage, read> starts: array<u32>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let chunk = workgroup.y * groups.x + workgroup.x;
  if (chunk >= CHUNKS) {
    return;
  }
  let start = starts[workgroup.z];
  let end = min((chunk + 1u) * CHUNK, SIZE);
  var squares = 0.0;
  for (var i = chunk * CHUNK + lane; i < end; i += 64u) {
    let change = values[start + i] - pretrained_one(start + i);
    squares += change * change;
    gradients[start + i] += 2.0 * lambda * change;
  }
  partials[(workgroup.z * CHUNKS + chunk) * 64u + lane] = squares;
}
