// Layer norm of each row (arXiv 1607.06450), after an optional residual addition.
//   total = x + delta (+ second) (+ biases)   [ROWS, WIDTH]   (ADD; BIASES biases of WIDTH lie one after the other)
//   stats[row] = (mean(total), 1 / sqrt(mean((total - mean)^2) + EPSILON))
//   y = (total - mean) / deviation * affine.gain + affine.bias
// One workgroup a row, four elements a lane at a time; the tree over the lanes is fixed, so the same input gives the same bits.
@group(0) @binding(0) var<storage, read> affine: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec2f>;
//#if ADD
@group(0) @binding(4) var<storage, read_write> total: array<vec4f>;
@group(0) @binding(5) var<storage, read> delta: array<vec4f>;
//#end
//#if BIAS
@group(0) @binding(6) var<storage, read> biases: array<vec4f>;
//#end
//#if SECOND
@group(0) @binding(7) var<storage, read> second: array<vec4f>;
//#end

const QUADS = WIDTH / 4u;
var<workgroup> partial: array<f32, LANES>;

// The sum of one number of every lane.
fn sumOfLanes(lane: u32, value: f32) -> f32 {
  workgroupBarrier();
  partial[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  return partial[0];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * groups.x + group.x;
  if (row >= ROWS) {
    return;
  }
  let start = row * QUADS;
  var sum = 0.0;
  for (var i = lane; i < QUADS; i += LANES) {
    var value = x[start + i];
    //#if ADD
    value += delta[start + i];
    //#if SECOND
    value += second[start + i];
    //#end
    //#if BIAS
    for (var b = 0u; b < BIASES; b++) {
      value += biases[b * QUADS + i];
    }
    //#end
    total[start + i] = value;
    //#end
    sum += dot(value, vec4f(1.0));
  }
  let mean = sumOfLanes(lane, sum) / f32(WIDTH);
  var squares = 0.0;
  for (var i = lane; i < QUADS; i += LANES) {
    //#if ADD
    let centred = total[start + i] - mean;
    //#else
    let centred = x[start + i] - mean;
    //#end
    squares += dot(centred, centred);
  }
  let scale = inverseSqrt(sumOfLanes(lane, squares) / f32(WIDTH) + EPSILON);
  if (lane == 0u) {
    stats[row] = vec2f(mean, scale);
  }
  for (var i = lane; i < QUADS; i += LANES) {
    //#if ADD
    let value = total[start + i];
    //#else
    let value = x[start + i];
    //#end
    y[start + i] = (value - mean) * scale * affine[i] + affine[QUADS + i];
  }
}
