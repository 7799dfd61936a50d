// Attention for adapters that run on the CPU: one invocation a query, no barriers, no workgroup memory.
//
// Invocations side by side are neighbouring positions of one head, and the keys are walked from bounds that depend on
// the workgroup alone: every load of k and v is then one address for all lanes, which the compiler turns into a scalar
// load and a broadcast. Keys that a lane must not see are masked. Softmax runs online over blocks of four keys, so the
// accumulator is rescaled once per block.
//
//   qkv            [ROWS * LENGTH, (HEADS + 2 KV_HEADS) * 4 VECTORS]   queries, keys, values; positions are in them
//   document_start [ROWS * LENGTH]   where in its row the token's document begins; never decreases along a row
//   attended       [ROWS * LENGTH, HEADS * 4 VECTORS]
//   log_sum_exp    [ROWS * LENGTH, HEADS]
// Grid: x over blocks of WIDTH queries, y over heads, z over rows.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> document_start: array<u32>;
@group(0) @binding(2) var<storage, read_write> attended: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> log_sum_exp: array<f32>;

const TOKEN: u32 = (HEADS + 2u * KV_HEADS) * VECTORS;
const NOTHING: f32 = -1e30;

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.z * LENGTH;
  let head = group.y;
  let first = group.x * WIDTH;
  let query = first + lane;
  let token = row + min(query, LENGTH - 1u);
  let key_at = (HEADS + head / (HEADS / KV_HEADS)) * VECTORS;
  let value_at = key_at + KV_HEADS * VECTORS;
  let start = document_start[token];
//#for d VECTORS
  let q$d = SCALE * qkv[token * TOKEN + head * VECTORS + $du];
  var sum$d = vec4f();
//#next
  var most = NOTHING;
  var total = 0.0;
  let end = min(first + WIDTH, LENGTH);
  for (var key = document_start[row + first]; key < end; key += 4u) {
//#for n 4
    let at$n = (row + min(key + $nu, LENGTH - 1u)) * TOKEN;
    var products$n = vec4f();
//#for d VECTORS
    products$n += q$d * qkv[at$n + key_at + $du];
//#next
    let seen$n = key + $nu >= start && key + $nu <= query;
    let score$n = select(NOTHING, (products$n.x + products$n.y) + (products$n.z + products$n.w), seen$n);
//#next
    let raised = max(most, max(max(score0, score1), max(score2, score3)));
    let kept = exp(most - raised);
    most = raised;
//#for n 4
    let weight$n = select(0.0, exp(score$n - raised), seen$n);
//#next
    total = total * kept + ((weight0 + weight1) + (weight2 + weight3));
//#for d VECTORS
    sum$d = sum$d * kept + weight0 * qkv[at0 + value_at + $du] + weight1 * qkv[at1 + value_at + $du]
      + weight2 * qkv[at2 + value_at + $du] + weight3 * qkv[at3 + value_at + $du];
//#next
  }
  if (query < LENGTH) {
    let share = 1.0 / total;
//#for d VECTORS
    attended[(token * HEADS + head) * VECTORS + $du] = sum$d * share;
//#next
    log_sum_exp[token * HEADS + head] = most + log(total);
  }
}
