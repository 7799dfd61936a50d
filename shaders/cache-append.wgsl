// Writes the keys and values of the rows of a pass into their caches [SLOTS, LENGTH, 4 VECTORS], each at its slot and
// position. A row of qkv holds QUERY_VECTORS vectors of queries, then VECTORS of keys, then VECTORS of values. A row whose
// slot does not exist is padding.
//
// Baked: ROWS, SLOTS, LENGTH, VECTORS, QUERY_VECTORS. One of the flags F32, BF16, F16: how the caches keep their numbers;
// halves two in a word, rounded to the nearest, as stored-floats.wgsl reads them.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> slots: array<u32>;
//#if F32
@group(0) @binding(3) var<storage, read_write> keys: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> values: array<vec4f>;

fn kept(four: vec4f) -> vec4f {
  return four;
}
//#else
@group(0) @binding(3) var<storage, read_write> keys: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> values: array<vec2u>;

//#if BF16
fn kept(four: vec4f) -> vec2u {
  let bits = bitcast<vec4u>(four);
  let rounded = (bits + vec4u(0x7fffu) + ((bits >> vec4u(16u)) & vec4u(1u))) >> vec4u(16u);
  // Rounding up would make a number of what is none.
  let halves = select(rounded, vec4u(0x7fc0u), (bits & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
  return halves.xz | (halves.yw << vec2u(16u));
}
//#else
fn kept(four: vec4f) -> vec2u {
  let bounded = clamp(four, vec4f(-65504.0), vec4f(65504.0));
  return vec2u(pack2x16float(bounded.xy), pack2x16float(bounded.zw));
}
//#end
//#end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ROWS * VECTORS) {
    return;
  }
  let row = id.x / VECTORS;
  let i = id.x % VECTORS;
  let slot = slots[row];
  if (slot >= SLOTS) {
    return;
  }
  let source = row * (QUERY_VECTORS + 2u * VECTORS) + QUERY_VECTORS + i;
  let to = (slot * LENGTH + positions[row]) * VECTORS + i;
  keys[to] = kept(qkv[source]);
  values[to] = kept(qkv[source + VECTORS]);
}
