// narrow = SCALE * wide times the factor: x Aᵀ forward, dy B backward. A workgroup makes 4 x 4 numbers; its lanes share
// the long sum and add their parts by a fixed tree. Appended to lora-operands.wgsl and lora-factor.wgsl.
//
// Baked: LANES.
//#if VECTOR
@group(0) @binding(0) var<storage, read> wide: array<vec4f>;
@group(0) @binding(1) var<storage, read> factor: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> narrow: array<vec4f>;
//#else
@group(0) @binding(0) var<storage, read> wide: array<f32>;
@group(0) @binding(1) var<storage, read> factor: array<f32>;
@group(0) @binding(2) var<storage, read_write> narrow: array<f32>;
//#end

var<workgroup> partial: array<mat4x4f, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let q = 4u * group.x;
  let token = 4u * group.y;
  let piece = group.z;
  var sum = mat4x4f();
  for (var row = 4u * lane; row < ROWS[piece]; row += 4u * LANES) {
    let block = from_factor(piece, row, q);
    sum += mat4x4f(
      block * from_wide(token, piece, row),
      block * from_wide(token + 1u, piece, row),
      block * from_wide(token + 2u, piece, row),
      block * from_wide(token + 3u, piece, row),
    );
  }
  partial[lane] = sum;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  if (lane < 4u && token + lane < TOKENS) {
    let four = SCALE * partial[0][lane];
    let at = (token + lane) * NARROW + piece * RANK + q;
//#if VECTOR
    narrow[at / 4u] = four;
//#else
    for (var j = 0u; j < min(4u, RANK - q); j += 1u) {
      narrow[at + j] = four[j];
    }
//#end
  }
}
