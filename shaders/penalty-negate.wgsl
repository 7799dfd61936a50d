// values <- -values, so that a product that adds onto something takes away.
@group(0) @binding(0) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = (workgroup.y * groups.x + workgroup.x) * 64u + lane;
  if (at < arrayLength(&values)) {
    values[at] = -values[at];
  }
}
