// Second stage of the global norm, and what follows from it: clip factor, skip flag, bias corrections, metrics.
// Appended to step-uniform.wgsl.
@group(0) @binding(0) var<uniform> numbers: StepNumbers;
@group(0) @binding(1) var<storage, read> partials: array<f32>;
@group(0) @binding(2) var<storage, read> lossSum: array<f32>;
@group(0) @binding(3) var<storage, read> penalty: array<f32>;
@group(0) @binding(4) var<storage, read_write> control: Control;
@group(0) @binding(5) var<storage, read_write> metrics: array<f32>;

var<workgroup> partial: array<f32, LANES>;

// By bits: a shader compiler may assume that no number is NaN or infinite.
fn isFinite(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < PARTIALS; i += LANES) {
    sum += partials[i];
  }
  partial[lane] = sum;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  if (lane != 0u) {
    return;
  }
  let norm = sqrt(partial[0]);
  let skip = !(isFinite(partial[0]) && isFinite(lossSum[0]) && isFinite(penalty[0]));
  control.skip = select(0u, 1u, skip);
  if (!skip) {
    // The same guard against division by zero as torch.nn.utils.clip_grad_norm_.
    control.scale = select(1.0, min(1.0, numbers.clipNorm / (norm + 1e-6)), numbers.clipNorm > 0.0);
    control.updates += 1u;
    control.correction1 = control.correction1 * numbers.beta1 + numbers.oneMinusBeta1;
    control.correction2 = control.correction2 * numbers.beta2 + numbers.oneMinusBeta2;
  }
  let at = numbers.slot * METRICS;
  metrics[at] = bitcast<f32>(numbers.step);
  metrics[at + 1u] = lossSum[0];
  metrics[at + 2u] = penalty[0];
  metrics[at + 3u] = norm;
  metrics[at + 4u] = select(0.0, 1.0, skip);
  metrics[at + 5u] = lossSum[1];
}
