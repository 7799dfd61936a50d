// gradient of the factor (+)= SCALE * wideᵀ narrow over all tokens: dyᵀ h for B, dhᵀ x for A. Each invocation sums a
// 4 x 4 block over every SLICES-th token; slices are added by a fixed tree. Appended to lora-operands.wgsl.
//
// Baked: LANES, SLICES. Flags: SLICED (SLICES > 1), ACCUMULATE.
//#if VECTOR
@group(0) @binding(0) var<storage, read> wide: array<vec4f>;
@group(0) @binding(1) var<storage, read> narrow: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> gradient: array<vec4f>;
//#else
@group(0) @binding(0) var<storage, read> wide: array<f32>;
@group(0) @binding(1) var<storage, read> narrow: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;
//#end

//#if SLICED
var<workgroup> partial: array<mat4x4f, LANES * SLICES>;
//#end

@compute @workgroup_size(LANES, SLICES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let row = 4u * (group.x * LANES + local.x);
  let q = 4u * group.y;
  let piece = group.z;
  // Column i belongs to row + i.
  var sum = mat4x4f();
  for (var token = local.y; token < TOKENS; token += SLICES) {
    let four = from_wide(token, piece, row);
    let h = from_narrow(token, piece, q);
    sum += mat4x4f(four.x * h, four.y * h, four.z * h, four.w * h);
  }
//#if SLICED
  let lane = local.y * LANES + local.x;
  partial[lane] = sum;
  workgroupBarrier();
  for (var half = SLICES / 2u; half > 0u; half >>= 1u) {
    if (local.y < half) {
      partial[lane] += partial[lane + half * LANES];
    }
    workgroupBarrier();
  }
  if (local.y > 0u) {
    return;
  }
  sum = partial[lane];
//#end
  if (row >= ROWS[piece]) {
    return;
  }
//#if VECTOR
//#if RANK_MAJOR
  let block = transpose(sum);
  let step = ROWS[piece] / 4u;
//#else
  let block = sum;
  let step = RANK / 4u;
//#end
  let at = factor_at(piece, row, q) / 4u;
  for (var i = 0u; i < 4u; i += 1u) {
//#if ACCUMULATE
    gradient[at + i * step] += SCALE * block[i];
//#else
    gradient[at + i * step] = SCALE * block[i];
//#end
  }
//#else
  for (var i = 0u; i < min(4u, ROWS[piece] - row); i += 1u) {
    for (var j = 0u; j < min(4u, RANK - q); j += 1u) {
//#if ACCUMULATE
      gradient[factor_at(piece, row + i, q + j)] += SCALE * sum[i][j];
//#else
      gradient[factor_at(piece, row + i, q + j)] = SCALE * sum[i][j];
//#end
    }
  }
//#end
}
