// Root-mean-square norm of each row, after an optional residual addition (RMSNorm, arXiv 1910.07467).
//   sum  = x + delta                    [ROWS, WIDTH]   (ADD only)
//   inverse[row] = 1 / sqrt(mean(sum^2) + EPSILON)
//   y    = sum * inverse * gain
// One workgroup a row, four elements a lane at a time; the tree over the lanes is fixed, so the same input gives the same bits.
//#if ADD
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> delta: array<vec4f>;
@group(0) @binding(2) var<storage, read> gain: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> total: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> inverse: array<f32>;
//#else
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> gain: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> inverse: array<f32>;
//#end

const QUADS = WIDTH / 4u;
var<workgroup> partial: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * groups.x + group.x;
  if (row >= ROWS) {
    return;
  }
  let start = row * QUADS;
  var squares = 0.0;
  for (var i = lane; i < QUADS; i += LANES) {
    //#if ADD
    let value = x[start + i] + delta[start + i];
    total[start + i] = value;
    //#else
    let value = x[start + i];
    //#end
    squares += dot(value, value);
  }
  partial[lane] = squares;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  let scale = inverseSqrt(partial[0] / f32(WIDTH) + EPSILON);
  if (lane == 0u) {
    inverse[row] = scale;
  }
  for (var i = lane; i < QUADS; i += LANES) {
    //#if ADD
    let value = total[start + i];
    //#else
    let value = x[start + i];
    //#end
    y[start + i] = value * scale * gain[i];
  }
}
