// Weights of the tokens of each document from the mean over its trained tokens of log p - log q, d: s = min(exp(tau d), LIMIT).
// One workgroup a token; that of a document's first token does the document, in a fixed tree.
//   lossWeights[token] = s * weights[token]
// THROUGH_SCALE: gradientWeights[token], with s differentiated too: s (1 - tau * mean nll) * weights[token], or as
// lossWeights where s is cut.
//
// Baked: TOKENS, LENGTH (tokens of a row), LANES, LIMIT and its logarithm.
@group(0) @binding(0) var<storage, read> nll: array<f32>;
@group(0) @binding(1) var<storage, read> referenceNll: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> documentStart: array<u32>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read> tau: array<f32>;
@group(0) @binding(6) var<storage, read_write> lossWeights: array<f32>;
//#if THROUGH_SCALE
@group(0) @binding(7) var<storage, read_write> gradientWeights: array<f32>;
//#end

const IGNORED = 0xffffffffu;

// Sums over trained tokens: of log p - log q, of nll, and their number.
var<workgroup> partial: array<vec3f, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.y * groups.x + group.x;
  if (token >= TOKENS) {
    return;
  }
  let row = token / LENGTH * LENGTH;
  let start = token - row;
  if (documentStart[token] != start) {
    return;
  }
  var sums = vec3f();
  for (var at = start + lane; at < LENGTH && documentStart[row + at] == start; at += LANES) {
    if (labels[row + at] != IGNORED) {
      sums += vec3f(referenceNll[row + at] - nll[row + at], nll[row + at], 1.0);
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
  let means = partial[0].xy / max(partial[0].z, 1.0);
  let exponent = tau[0] * means.x;
  let cut = exponent >= LOG_LIMIT;
  let scale = select(exp(min(exponent, LOG_LIMIT)), LIMIT, cut);
  for (var at = start + lane; at < LENGTH && documentStart[row + at] == start; at += LANES) {
    let weight = scale * weights[row + at];
    lossWeights[row + at] = weight;
    //#if THROUGH_SCALE
    gradientWeights[row + at] = select(weight * (1.0 - tau[0] * means.y), weight, cut);
    //#end
  }
}
