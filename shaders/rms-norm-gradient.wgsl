// Gradient of the RMS norm with respect to its input, with r = inverse[row] and h = total * r:
//   dx = r * (gain * dy - h * mean(gain * dy * h)) (+ dTotal, the gradient that reaches the residual sum directly)
@group(0) @binding(0) var<storage, read> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read> total: array<vec4f>;
@group(0) @binding(2) var<storage, read> gain: array<vec4f>;
@group(0) @binding(3) var<storage, read> inverse: array<f32>;
//#if ADD
@group(0) @binding(4) var<storage, read> dTotal: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> dx: array<vec4f>;
//#else
@group(0) @binding(4) var<storage, read_write> dx: array<vec4f>;
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
  let r = inverse[row];
  var product = 0.0;
  for (var i = lane; i < QUADS; i += LANES) {
    product += dot(gain[i] * dy[start + i], total[start + i]);
  }
  partial[lane] = product;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  let mean = partial[0] * r / f32(WIDTH);
  for (var i = lane; i < QUADS; i += LANES) {
    let gradient = r * (gain[i] * dy[start + i] - total[start + i] * r * mean);
    //#if ADD
    dx[start + i] = gradient + dTotal[start + i];
    //#else
    dx[start + i] = gradient;
    //#end
  }
}
