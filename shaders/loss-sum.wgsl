// sums[0] += sum of the weighted losses of the tokens, sums[1] += sum of weight * nll, in one workgroup with a fixed tree.
@group(0) @binding(0) var<storage, read> loss: array<f32>;
@group(0) @binding(1) var<storage, read> nll: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

var<workgroup> partial: array<vec2f, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = vec2f();
  for (var token = lane; token < TOKENS; token += LANES) {
    sum += vec2f(loss[token], weights[token] * nll[token]);
  }
  partial[lane] = sum;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    sums[0] += partial[0].x;
    sums[1] += partial[0].y;
  }
}
