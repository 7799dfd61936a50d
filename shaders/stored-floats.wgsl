// Floats of a storage buffer NAME that may be kept as halves, two in a word: NAME_four(i) gives the elements 4i to 4i+3
// (FOURS), NAME_one(i) element i. One of the flags F32, BF16, PACKED (f16) and NATIVE (f16, where shader-f16 is there).
//#if FOURS
//#if F32
@group(0) @binding(BINDING) var<storage, read> NAME: array<vec4f>;

fn NAME_four(i: u32) -> vec4f {
  return NAME[i];
}
//#end
//#if BF16
@group(0) @binding(BINDING) var<storage, read> NAME: array<vec2u>;

fn NAME_four(i: u32) -> vec4f {
  let words = NAME[i];
  let low = words << vec2u(16u);
  let high = words & vec2u(0xffff0000u);
  return bitcast<vec4f>(vec4u(low.x, high.x, low.y, high.y));
}
//#end
//#if PACKED
@group(0) @binding(BINDING) var<storage, read> NAME: array<vec2u>;

fn NAME_four(i: u32) -> vec4f {
  let words = NAME[i];
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}
//#end
//#if NATIVE
@group(0) @binding(BINDING) var<storage, read> NAME: array<vec4<f16>>;

fn NAME_four(i: u32) -> vec4f {
  return vec4f(NAME[i]);
}
//#end
//#else
//#if F32
@group(0) @binding(BINDING) var<storage, read> NAME: array<f32>;

fn NAME_one(i: u32) -> f32 {
  return NAME[i];
}
//#end
//#if BF16
@group(0) @binding(BINDING) var<storage, read> NAME: array<u32>;

fn NAME_one(i: u32) -> f32 {
  return bitcast<f32>((NAME[i / 2u] >> (i % 2u * 16u)) << 16u);
}
//#end
//#if PACKED
@group(0) @binding(BINDING) var<storage, read> NAME: array<u32>;

fn NAME_one(i: u32) -> f32 {
  return unpack2x16float(NAME[i / 2u] >> (i % 2u * 16u)).x;
}
//#end
//#if NATIVE
@group(0) @binding(BINDING) var<storage, read> NAME: array<f16>;

fn NAME_one(i: u32) -> f32 {
  return f32(NAME[i]);
}
//#end
//#end
