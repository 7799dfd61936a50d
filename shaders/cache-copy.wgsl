// Copies the first positions of one slot of the caches to another slot.
//
// Baked: SPAN (pairs of words of a slot), WORDS (pairs of words of a position).
struct Copy {
  source: u32,
  destination: u32,
  positions: u32,
  unused: u32,
}

@group(0) @binding(0) var<uniform> copy: Copy;
@group(0) @binding(1) var<storage, read_write> keys: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> values: array<vec2u>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < copy.positions * WORDS; i += 64u * groups.x) {
    keys[copy.destination * SPAN + i] = keys[copy.source * SPAN + i];
    values[copy.destination * SPAN + i] = values[copy.source * SPAN + i];
  }
}
