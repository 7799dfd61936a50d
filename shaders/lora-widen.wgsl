// wide (+)= SCALE * narrow times the transposed factor: h Bᵀ onto a layer's output forward, dh A onto its input's
// gradient backward. Each invocation makes 4 x 4 numbers. Appended to lora-operands.wgsl and lora-factor.wgsl.
//
// Flag: ACCUMULATE.
//#if VECTOR
@group(0) @binding(0) var<storage, read> narrow: array<vec4f>;
@group(0) @binding(1) var<storage, read> factor: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> wide: array<vec4f>;
//#else
@group(0) @binding(0) var<storage, read> narrow: array<f32>;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(0) @binding(2) var<storage, read_write> wide: array<f32>;
//#end

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = 4u * id.x;
  let token = 4u * id.y;
  let piece = id.z;
  if (row >= ROWS[piece] || token >= TOKENS) {
    return;
  }
  var sum = mat4x4f();
  for (var q = 0u; q < RANK; q += 4u) {
    let block = from_factor(piece, row, q);
    sum += mat4x4f(
      from_narrow(token, piece, q) * block,
      from_narrow(token + 1u, piece, q) * block,
      from_narrow(token + 2u, piece, q) * block,
      from_narrow(token + 3u, piece, q) * block,
    );
  }
  for (var i = 0u; i < min(4u, TOKENS - token); i += 1u) {
    let at = (token + i) * WIDTH + COLUMN[piece] + row;
    let four = SCALE * sum[i];
//#if VECTOR
//#if ACCUMULATE
    wide[at / 4u] += four;
//#else
    wide[at / 4u] = four;
//#end
//#else
    for (var j = 0u; j < min(4u, ROWS[piece] - row); j += 1u) {
//#if ACCUMULATE
      wide[at + j] += four[j];
//#else
      wide[at + j] = four[j];
//#end
    }
//#end
  }
}
