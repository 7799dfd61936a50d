// Cross-entropy of each row of logits [ROWS, VOCABULARY] against its label; one workgroup a row, fixed reduction trees.
//   nll[row] = log(sum(exp(logits))) - logits[label], 0 where the label is IGNORED
// GRADIENT: the logits become weight * (softmax - onehot), 0 in ignored rows. Otherwise argmax[row] is written, the
// smallest index among equals.
@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> nll: array<f32>;
//#if GRADIENT
//#else
@group(0) @binding(4) var<storage, read_write> argmax: array<u32>;
//#end

const IGNORED = 0xffffffffu;

var<workgroup> partial: array<f32, LANES>;
var<workgroup> index: array<u32, LANES>;

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
  partial[lane] = sum;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  let total = partial[0];
  if (lane == 0u) {
    if (label == IGNORED) {
      nll[row] = 0.0;
    } else {
      nll[row] = top + log(total) - logits[start + label];
    }
    //#if GRADIENT
    //#else
    argmax[row] = winner;
    //#end
  }
  //#if GRADIENT
  // The label's logit is read above by lane 0 before lane `label % LANES` overwrites it.
  workgroupBarrier();
  let weight = weights[row];
  for (var v = lane; v < VOCABULARY; v += LANES) {
    let probability = exp(logits[start + v] - top) / total;
    logits[start + v] = weight * (probability - select(0.0, 1.0, v == label));
  }
  //#end
}
