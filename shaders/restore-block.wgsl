// What of each block C [K, K] is to be taken out of the weights, negated: VALUES its diagonal, ROTATION the rest.
@group(0) @binding(0) var<storage, read_write> blocks: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < arrayLength(&blocks)) {
    let isDiagonal = i % (K * K) % (K + 1u) == 0u;
    blocks[i] = select(0.0, -blocks[i], select(ROTATION, VALUES, isDiagonal));
  }
}
