// Gradient of the layer norm with respect to its input, with (mean, r) = stats[row] and h = (total - mean) r:
//   dx = r * (gain * dy - mean(gain * dy) - h * mean(gain * dy * h)) (+ more, the gradient that reaches the input otherwise)
@group(0) @binding(0) var<storage, read> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read> total: array<vec4f>;
@group(0) @binding(2) var<storage, read> affine: array<vec4f>;
@group(0) @binding(3) var<storage, read> stats: array<vec2f>;
//#if ADD
@group(0) @binding(4) var<storage, read> more: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> dx: array<vec4f>;
//#else
@group(0) @binding(4) var<storage, read_write> dx: array<vec4f>;
//#end

const QUADS = WIDTH / 4u;
var<workgroup> partial: array<vec2f, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * groups.x + group.x;
  if (row >= ROWS) {
    return;
  }
  let start = row * QUADS;
  let mean = stats[row].x;
  let r = stats[row].y;
  var sums = vec2f(0.0);
  for (var i = lane; i < QUADS; i += LANES) {
    let d = affine[i] * dy[start + i];
    sums += vec2f(dot(d, vec4f(1.0)), dot(d, total[start + i] - mean));
  }
  partial[lane] = sums;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  let along = partial[0].x / f32(WIDTH);
  let across = partial[0].y * r * r / f32(WIDTH);
  for (var i = lane; i < QUADS; i += LANES) {
    let gradient = r * (affine[i] * dy[start + i] - along - (total[start + i] - mean) * across);
    //#if ADD
    dx[start + i] = gradient + more[start + i];
    //#else
    dx[start + i] = gradient;
    //#end
  }
}
