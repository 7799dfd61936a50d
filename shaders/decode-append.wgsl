// Writes the keys and values of one token a sequence into their caches [SEQUENCES, LENGTH, WIDTH] at its position.
// A row of qkv holds QUERY_WIDTH queries, then WIDTH keys, then WIDTH values.
@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read_write> keys: array<f32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= SEQUENCES * WIDTH) {
    return;
  }
  let sequence = id.x / WIDTH;
  let i = id.x % WIDTH;
  let row = sequence * (QUERY_WIDTH + 2u * WIDTH) + QUERY_WIDTH;
  let to = (sequence * LENGTH + positions[sequence]) * WIDTH + i;
  keys[to] = qkv[row + i];
  values[to] = qkv[row + WIDTH + i];
}
