// wide = halves, four at a time; the halves stand in front (stored-floats.wgsl). Baked: FOURS_COUNT.
@group(0) @binding(1) var<storage, read_write> wide: array<vec4f>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 256u + lane;
  if (i < FOURS_COUNT) {
    wide[i] = halves_four(i);
  }
}
