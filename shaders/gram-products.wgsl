// Partial sums of K∘K, L∘L and K∘L over two Gram matrices of SIZE numbers each, one after the other in `grams`, for the
// CPU to add in f64: partials [GROUPS * 64].
@group(0) @binding(0) var<storage, read> grams: array<f32>;
@group(0) @binding(1) var<storage, read_write> partials: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var sums = vec4f();
  for (var i = id.x; i < SIZE; i += GROUPS * 64u) {
    let k = grams[i];
    let l = grams[SIZE + i];
    sums += vec4f(k * k, l * l, k * l, 0.0);
  }
  partials[id.x] = sums;
}
