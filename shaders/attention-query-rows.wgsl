// Gradient of attention with respect to the queries for adapters that run on the CPU: lanes hold queries and pass keys
// round as in attention-rows.wgsl.
//   dq = SCALE * sum over keys of p (d_attended . v - delta) k,   p = exp(SCALE q . k - log_sum_exp)
// Writes the query part of d_qkv. Grid: x over blocks of LANES queries, y over heads, z over rows.
@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> document_start: array<u32>;
@group(0) @binding(2) var<storage, read> d_attended: array<f32>;
@group(0) @binding(3) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_qkv: array<f32>;

const DIM: u32 = PARTS * STEP;
const TOKEN: u32 = (HEADS + 2u * KV_HEADS) * DIM;
const KEYS: u32 = 2u;

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
  let normalizer = log_sum_exp[token * HEADS + head];
  let mean = delta[token * HEADS + head];
//#for p PARTS
//#for s STEP
  let q$p_$s = SCALE * qkv[token * TOKEN + head * DIM + $pu * STEP + $su];
  let dy$p_$s = d_attended[(token * HEADS + head) * DIM + $pu * STEP + $su];
  var dq$p_$s = 0.0;
//#next
//#next
  let end = min(first + LANES, LENGTH);
  for (var key = document_start[row + first]; key < end; key += KEYS) {
//#for k 2
    let at$k = (row + min(key + $ku, LENGTH - 1u)) * TOKEN;
    var score$k = 0.0;
    var slope$k = 0.0;
//#next
//#for p PARTS
//#for k 2
    let key$p_$k = qkv[at$k + key_at + $pu * STEP];
    let value$p_$k = qkv[at$k + value_at + $pu * STEP];
//#next
//#for s STEP
//#for k 2
    let k$p_$s_$k = subgroupBroadcast(key$p_$k, $su);
    let v$p_$s_$k = subgroupBroadcast(value$p_$k, $su);
    score$k += q$p_$s * k$p_$s_$k;
    slope$k += dy$p_$s * v$p_$s_$k;
//#next
//#next
//#next
//#for k 2
    let seen$k = key + $ku >= start && key + $ku <= query;
    let ds$k = select(0.0, exp(score$k - normalizer) * (slope$k - mean), seen$k);
//#next
//#for p PARTS
//#for s STEP
//#for k 2
    let again$p_$s_$k = subgroupBroadcast(key$p_$k, $su);
    dq$p_$s += ds$k * again$p_$s_$k;
//#next
//#next
//#next
  }
  if (query < LENGTH) {
    let at = token * TOKEN + head * DIM;
//#for p PARTS
//#for s STEP
    d_qkv[at + $pu * STEP + $su] = SCALE * dq$p_$s;
//#next
//#next
  }
}
