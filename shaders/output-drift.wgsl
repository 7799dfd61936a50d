// How far two distributions p (base) and q (tuned) over the vocabulary are apart, from logits [ROWS, VOCABULARY] each:
// drift[row] = KL(p, q), KL(q, p), Jensen-Shannon divergence, in nats. One workgroup a row, fixed reduction trees.
//
// With d = log p - log q, KL(p, q) = sum p (d - 1 + exp(-d)) since p and q sum to one: every term is positive, so that
// near distributions do not cancel, and a series gives it where d is small. With c = log cosh(d/2) the Jensen-Shannon
// divergence is sum ((p - q) d/2 - (p + q) c) / 2.
@group(0) @binding(0) var<storage, read> base: array<f32>;
@group(0) @binding(1) var<storage, read> tuned: array<f32>;
@group(0) @binding(2) var<storage, read_write> drift: array<vec4f>;

var<workgroup> partial: array<vec4f, LANES>;

// exp(x) - 1 - x for |x| <= 1/2, to 2e-8 of itself.
fn secondOrder(x: f32) -> f32 {
  return x * x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0 * (1.0 + x / 7.0 * (1.0 + x / 8.0))))));
}

// log cosh(y), a series for |y| <= 1/4.
fn logCosh(y: f32) -> f32 {
  let s = y * y;
  if (s <= 0.0625) {
    return s * (0.5 - s * (1.0 / 12.0 - s * (1.0 / 45.0 - s * 17.0 / 2520.0)));
  }
  let size = abs(y);
  return size + log(1.0 + exp(-2.0 * size)) - 0.69314718;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * groups.x + group.x;
  if (row >= ROWS) {
    return;
  }
  let start = row * VOCABULARY;
  var most = vec2f(-3.0e38);
  for (var v = lane; v < VOCABULARY; v += LANES) {
    most = max(most, vec2f(base[start + v], tuned[start + v]));
  }
  partial[lane] = vec4f(most, 0.0, 0.0);
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] = max(partial[lane], partial[lane + half]);
    }
    workgroupBarrier();
  }
  let top = partial[0].xy;
  workgroupBarrier();
  var total = vec2f();
  for (var v = lane; v < VOCABULARY; v += LANES) {
    total += exp(vec2f(base[start + v], tuned[start + v]) - top);
  }
  partial[lane] = vec4f(total, 0.0, 0.0);
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  let normaliser = top + log(partial[0].xy);
  workgroupBarrier();
  var sums = vec4f();
  for (var v = lane; v < VOCABULARY; v += LANES) {
    let logs = vec2f(base[start + v], tuned[start + v]) - normaliser;
    let both = exp(logs);
    let p = both.x;
    let q = both.y;
    let d = logs.x - logs.y;
    if (abs(d) <= 0.5) {
      let second = secondOrder(-d);
      let cosh = logCosh(d / 2.0);
      // q = p exp(-d), so p - q = p (d - second).
      sums += vec4f(p * second, q * secondOrder(d), (p * (d - second) * d / 2.0 - (p + q) * cosh) / 2.0, 0.0);
    } else {
      sums += vec4f(p * d - p + q, p - q - q * d, ((p - q) * d / 2.0 - (p + q) * logCosh(d / 2.0)) / 2.0, 0.0);
    }
  }
  partial[lane] = sums;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    drift[row] = partial[0];
  }
}
