// Attention for adapters that run on the CPU: no barriers, no workgroup memory, a lane for every query.
//
// A workgroup is one subgroup of LANES neighbouring queries, each held in its lane's registers, which walk their keys
// together. A load whose address changes in a loop costs such an adapter as much when all lanes want one number as when
// each wants its own, so every lane loads a different number of a key and they pass them round (subgroupBroadcast): an
// eighth or a quarter of the loads. Softmax runs online (FlashAttention, arXiv 2205.14135) over two keys at a time, so
// that the sums are rescaled half as often; larger blocks gain a fifth and take several times as long to compile.
//
//   qkv            [ROWS * LENGTH, (HEADS + 2 KV_HEADS) * DIM]   queries, keys, values; positions are in them
//   document_start [ROWS * LENGTH]   where in its row the token's document begins; never decreases along a row
//   attended       [ROWS * LENGTH, HEADS * DIM]
//   log_sum_exp    [ROWS * LENGTH, HEADS]
// DIM = PARTS * STEP, STEP <= LANES. Grid: x over blocks of LANES queries, y over heads, z over rows.
@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> document_start: array<u32>;
@group(0) @binding(2) var<storage, read_write> attended: array<f32>;
@group(0) @binding(3) var<storage, read_write> log_sum_exp: array<f32>;

const DIM: u32 = PARTS * STEP;
const TOKEN: u32 = (HEADS + 2u * KV_HEADS) * DIM;
const KEYS: u32 = 2u;
const NOTHING: f32 = -1e30;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let row = group.z * LENGTH;
  let head = group.y;
  let first = group.x * LANES;
  let part = lane % STEP;
  let key_at = (HEADS + head / (HEADS / KV_HEADS)) * DIM + part;
  let value_at = key_at + KV_HEADS * DIM;
  let query = first + lane;
  let token = row + min(query, LENGTH - 1u);
  let start = document_start[token];
  var most = NOTHING;
  var total = 0.0;
//#for p PARTS
//#for s STEP
  let q$p_$s = SCALE * qkv[token * TOKEN + head * DIM + $pu * STEP + $su];
  var sum$p_$s = 0.0;
//#next
//#next
  let end = min(first + LANES, LENGTH);
  for (var key = document_start[row + first]; key < end; key += KEYS) {
//#for k 2
    let at$k = (row + min(key + $ku, LENGTH - 1u)) * TOKEN;
    var score$k = 0.0;
//#next
//#for p PARTS
//#for k 2
    let key$p_$k = qkv[at$k + key_at + $pu * STEP];
//#next
//#for s STEP
//#for k 2
    let k$p_$s_$k = subgroupBroadcast(key$p_$k, $su);
    score$k += q$p_$s * k$p_$s_$k;
//#next
//#next
//#next
    var raised = most;
//#for k 2
    let seen$k = key + $ku >= start && key + $ku <= query;
    score$k = select(NOTHING, score$k, seen$k);
    raised = max(raised, score$k);
//#next
    let kept = exp(most - raised);
    most = raised;
    total *= kept;
//#for k 2
    let weight$k = select(0.0, exp(score$k - raised), seen$k);
    total += weight$k;
//#next
//#for p PARTS
//#for k 2
    let value$p_$k = qkv[at$k + value_at + $pu * STEP];
//#next
//#for s STEP
    sum$p_$s *= kept;
//#for k 2
    let v$p_$s_$k = subgroupBroadcast(value$p_$k, $su);
    sum$p_$s += weight$k * v$p_$s_$k;
//#next
//#next
//#next
  }
  if (query < LENGTH) {
    let share = 1.0 / total;
    let at = (token * HEADS + head) * DIM;
//#for p PARTS
//#for s STEP
    attended[at + $pu * STEP + $su] = sum$p_$s * share;
//#next
//#next
    log_sum_exp[token * HEADS + head] = most + log(total);
  }
}
