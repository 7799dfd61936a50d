// Cross-entropy of each row of logits [ROWS, VOCABULARY] against its label; one workgroup a row, fixed reduction trees.
//   nll[row] = log(sum(exp(logits))) - logits[label], 0 where the label is IGNORED
//   loss[row] = lossWeights[row] * what the objective makes of it: nll, TIMES_PROBABILITY p * nll with p = exp(-nll) held
//     fixed, DIVERGENCE nll + beta * KL(p || q), q the softmax of the reference logits, POLICY -min(ratio * advantage,
//     bounded ratio * advantage), after which entropy[row] = -sum(p log p)
// GRADIENT: the logits become the gradient of the sum of the losses, with `weights` in place of lossWeights; 0 in ignored
// rows. Otherwise argmax[row] is written, the smallest index among equals.
@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> lossWeights: array<f32>;
@group(0) @binding(3) var<storage, read_write> nll: array<f32>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;
//#if GRADIENT
@group(0) @binding(5) var<storage, read> weights: array<f32>;
//#else
@group(0) @binding(5) var<storage, read_write> argmax: array<u32>;
//#end
//#if POLICY
// Of each row: nll under the policy that sampled the label, 1 where that is known (otherwise it is this one and the ratio 1),
// advantage, and the ratio from which on it counts no more: the largest where the advantage is positive, else the smallest.
@group(0) @binding(6) var<storage, read> policy: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> entropy: array<f32>;
//#end
//#if DIVERGENCE
@group(0) @binding(6) var<storage, read> referenceLogits: array<f32>;
@group(0) @binding(7) var<storage, read> beta: array<f32>;
//#end

const IGNORED = 0xffffffffu;

var<workgroup> partial: array<f32, LANES>;
var<workgroup> index: array<u32, LANES>;

fn sumOf(value: f32, lane: u32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  let sum = partial[0];
  workgroupBarrier();
  return sum;
}

//#if DIVERGENCE
fn greatestOf(value: f32, lane: u32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] = max(partial[lane], partial[lane + half]);
    }
    workgroupBarrier();
  }
  let greatest = partial[0];
  workgroupBarrier();
  return greatest;
}
//#end

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * groups.x + group.x;
  if (row >= ROWS) {
    return;
  }
  let start = row * VOCABULARY;
  let label = labels[row];
  //#if GRADIENT
  if (label == IGNORED) {
    for (var v = lane; v < VOCABULARY; v += LANES) {
      logits[start + v] = 0.0;
    }
    if (lane == 0u) {
      nll[row] = 0.0;
      loss[row] = 0.0;
      //#if POLICY
      entropy[row] = 0.0;
      //#end
    }
    return;
  }
  //#end
  var most = -3.0e38;
  var best = 0u;
  for (var v = lane; v < VOCABULARY; v += LANES) {
    if (logits[start + v] > most) {
      most = logits[start + v];
      best = v;
    }
  }
  partial[lane] = most;
  index[lane] = best;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      let other = partial[lane + half];
      if (other > partial[lane] || (other == partial[lane] && index[lane + half] < index[lane])) {
        partial[lane] = other;
        index[lane] = index[lane + half];
      }
    }
    workgroupBarrier();
  }
  let top = partial[0];
  let winner = index[0];
  workgroupBarrier();
  var sum = 0.0;
  for (var v = lane; v < VOCABULARY; v += LANES) {
    sum += exp(logits[start + v] - top);
  }
  let total = sumOf(sum, lane);
  // Read by all lanes before one of them overwrites it.
  let labelLogit = logits[start + select(label, 0u, label == IGNORED)];
  let surprise = select(top + log(total) - labelLogit, 0.0, label == IGNORED);
  //#if TIMES_PROBABILITY
  let factor = select(exp(labelLogit - top) / total, 0.0, label == IGNORED);
  let objective = factor * surprise;
  //#else
  //#if DIVERGENCE
  var referenceMost = -3.0e38;
  for (var v = lane; v < VOCABULARY; v += LANES) {
    referenceMost = max(referenceMost, referenceLogits[start + v]);
  }
  let referenceTop = greatestOf(referenceMost, lane);
  var referenceSum = 0.0;
  for (var v = lane; v < VOCABULARY; v += LANES) {
    referenceSum += exp(referenceLogits[start + v] - referenceTop);
  }
  // log p - log q = (logit - reference logit) - normaliser: exactly 0 where the two models agree.
  let normaliser = (top + log(total)) - (referenceTop + log(sumOf(referenceSum, lane)));
  var products = 0.0;
  for (var v = lane; v < VOCABULARY; v += LANES) {
    products += exp(logits[start + v] - top) * ((logits[start + v] - referenceLogits[start + v]) - normaliser);
  }
  let divergence = select(sumOf(products, lane) / total, 0.0, label == IGNORED);
  let objective = surprise + beta[0] * divergence;
  //#else
  //#if POLICY
  let token = policy[row];
  let ratio = select(1.0, exp(token.x - surprise), token.y == 1.0);
  let clipped = (token.z > 0.0 && ratio > token.w) || (token.z < 0.0 && ratio < token.w);
  let factor = select(ratio * token.z, 0.0, clipped || label == IGNORED);
  let objective = select(-token.z * select(ratio, token.w, clipped), 0.0, label == IGNORED);
  var weighted = 0.0;
  for (var v = lane; v < VOCABULARY; v += LANES) {
    weighted += exp(logits[start + v] - top) * (logits[start + v] - top);
  }
  let spread = log(total) - sumOf(weighted, lane) / total;
  //#else
  let objective = surprise;
  //#end
  //#end
  //#end
  if (lane == 0u) {
    nll[row] = surprise;
    loss[row] = lossWeights[row] * objective;
    //#if POLICY
    entropy[row] = select(spread, 0.0, label == IGNORED);
    //#end
    //#if GRADIENT
    //#else
    argmax[row] = winner;
    //#end
  }
  //#if GRADIENT
  workgroupBarrier();
  //#if TIMES_PROBABILITY
  let weight = weights[row] * factor;
  //#else
  //#if POLICY
  let weight = weights[row] * factor;
  //#else
  let weight = weights[row];
  //#end
  //#end
  for (var v = lane; v < VOCABULARY; v += LANES) {
    let probability = exp(logits[start + v] - top) / total;
    //#if DIVERGENCE
    let pull = (logits[start + v] - referenceLogits[start + v]) - normaliser - divergence;
    logits[start + v] = weight * (probability - select(0.0, 1.0, v == label)) + (weight * beta[0]) * (probability * pull);
    //#else
    logits[start + v] = weight * (probability - select(0.0, 1.0, v == label));
    //#end
  }
  //#end
}
