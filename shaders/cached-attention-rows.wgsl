// Attention of a chunk of prompts over their caches, for adapters that run on the CPU: attention-rows.wgsl with its keys
// and values in the cache. A workgroup is one subgroup of LANES neighbouring rows, which the host has made rows of one slot
// at rising positions, or padding after them (a slot that does not exist).
//
//   qkv          [ROWS, (HEADS + 2 KV_HEADS) * DIM]
//   keys, values [SLOTS, LENGTH, KV_HEADS * DIM]
//   attended     [ROWS, HEADS * DIM]
// DIM = PARTS * STEP, STEP <= LANES. Grid: x over blocks of LANES rows, y over heads.
@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> slots: array<u32>;
@group(0) @binding(5) var<storage, read_write> attended: array<f32>;

const DIM: u32 = PARTS * STEP;
const TOKEN: u32 = (HEADS + 2u * KV_HEADS) * DIM;
const KEYS: u32 = 2u;
const NOTHING: f32 = -1e30;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let head = group.y;
  let row = group.x * LANES + lane;
  let slot = slots[group.x * LANES];
  if (slot >= SLOTS) {
    return;
  }
  var count = 1u;
  while (count < LANES && group.x * LANES + count < ROWS && slots[min(group.x * LANES + count, ROWS - 1u)] == slot) {
    count++;
  }
  let token = min(row, ROWS - 1u);
  let query = select(0u, positions[token], lane < count);
  let part = lane % STEP;
  let cache_at = slot * LENGTH;
  let head_at = head / (HEADS / KV_HEADS) * DIM + part;
  var most = NOTHING;
  var total = 0.0;
//#for p PARTS
//#for s STEP
  let q$p_$s = SCALE * qkv[token * TOKEN + head * DIM + $pu * STEP + $su];
  var sum$p_$s = 0.0;
//#next
//#next
  // No key past the last query's is loaded: what lies there is of another sequence, or nothing.
  let end = positions[group.x * LANES] + count;
  for (var key = 0u; key < end; key += KEYS) {
//#for k 2
    let at$k = (cache_at + min(key + $ku, end - 1u)) * (KV_HEADS * DIM) + head_at;
    var score$k = 0.0;
//#next
//#for p PARTS
//#for k 2
    let key$p_$k = keys_one(at$k + $pu * STEP);
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
    let seen$k = key + $ku <= query;
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
    let value$p_$k = values_one(at$k + $pu * STEP);
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
  if (lane < count) {
    let share = 1.0 / total;
    let at = (token * HEADS + head) * DIM;
//#for p PARTS
//#for s STEP
    attended[at + $pu * STEP + $su] = sum$p_$s * share;
//#next
//#next
  }
}
