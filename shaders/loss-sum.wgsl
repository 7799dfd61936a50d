// lossSum[0] += sum over tokens of weight * nll, in one workgroup with a fixed tree.
@group(0) @binding(0) var<storage, read> nll: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> lossSum: array<f32>;

var<workgroup> partial: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var token = lane; token < TOKENS; token += LANES) {
    sum += weights[token] * nll[token];
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
    lossSum[0] += partial[0];
  }
}
