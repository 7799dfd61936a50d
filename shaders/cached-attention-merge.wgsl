// Adds up the parts that cached-attention-step.wgsl has left, in their order: a lane a vector of a head of a row.
//
// Baked: ROWS, SLOTS, HEADS, VECTORS, PART, PARTS.
@group(0) @binding(0) var<storage, read> positions: array<u32>;
@group(0) @binding(1) var<storage, read> slots: array<u32>;
@group(0) @binding(2) var<storage, read> mixed: array<vec4f>;
@group(0) @binding(3) var<storage, read> tops: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ROWS * HEADS * VECTORS) {
    return;
  }
  let head = id.x / VECTORS;
  let row = head / HEADS;
  if (slots[row] >= SLOTS) {
    return;
  }
  let parts = positions[row] / PART + 1u;
  var top = -3.0e38;
  for (var part = 0u; part < parts; part++) {
    top = max(top, tops[head * PARTS + part].x);
  }
  var sum = 0.0;
  var mix = vec4f();
  for (var part = 0u; part < parts; part++) {
    let own = tops[head * PARTS + part];
    let factor = exp(own.x - top);
    sum += own.y * factor;
    mix += mixed[(head * PARTS + part) * VECTORS + id.x % VECTORS] * factor;
  }
  output[id.x] = mix / sum;
}
