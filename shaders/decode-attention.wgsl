// Attention of one query token a sequence over the cache up to its position, with an online softmax. One workgroup a
// head and sequence; every lane takes every LANES-th position, then the lanes' partial softmaxes are merged in order.
@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> keys: array<f32>;
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

var<workgroup> tops: array<f32, LANES>;
var<workgroup> sums: array<f32, LANES>;
var<workgroup> partials: array<f32, LANES * HEAD_DIM>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let sequence = group.y;
  let width = KEY_VALUE_HEADS * HEAD_DIM;
  let query = sequence * (HEADS * HEAD_DIM + 2u * width) + head * HEAD_DIM;
  let column = head / (HEADS / KEY_VALUE_HEADS) * HEAD_DIM;
  let last = positions[sequence];
  var top = -3.0e38;
  var sum = 0.0;
  for (var i = 0u; i < HEAD_DIM; i++) {
    partials[lane * HEAD_DIM + i] = 0.0;
  }
  for (var position = lane; position <= last; position += LANES) {
    let row = (sequence * LENGTH + position) * width + column;
    var score = 0.0;
    for (var i = 0u; i < HEAD_DIM; i++) {
      score += qkv[query + i] * keys[row + i];
    }
    score *= SCALE;
    let larger = max(top, score);
    let keep = exp(top - larger);
    let weight = exp(score - larger);
    sum = sum * keep + weight;
    for (var i = 0u; i < HEAD_DIM; i++) {
      partials[lane * HEAD_DIM + i] = partials[lane * HEAD_DIM + i] * keep + weight * values[row + i];
    }
    top = larger;
  }
  tops[lane] = top;
  sums[lane] = sum;
  workgroupBarrier();
  var overall = tops[0];
  for (var other = 1u; other < LANES; other++) {
    overall = max(overall, tops[other]);
  }
  for (var i = lane; i < HEAD_DIM; i += LANES) {
    var total = 0.0;
    var mixed = 0.0;
    for (var other = 0u; other < LANES; other++) {
      let factor = exp(tops[other] - overall);
      total += sums[other] * factor;
      mixed += partials[other * HEAD_DIM + i] * factor;
    }
    output[(sequence * HEADS + head) * HEAD_DIM + i] = mixed / total;
  }
}
