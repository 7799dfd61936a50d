// Gradient of attention with respect to keys and values for adapters that run on the CPU: lanes hold keys, and pass
// round the queries as attention-rows.wgsl does keys. A key walks the queries that may see it over the query heads of
// its group in order; nothing is added from two places. Unlike there, one query at a time: k, v and both sums already
// take more registers than there are.
//   dv = sum of p d_attended,   dk = SCALE * sum of p (d_attended . v - delta) q
// Writes the key and value parts of d_qkv. Grid: x over blocks of LANES keys, y over key-value heads, z over rows.
@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> document_start: array<u32>;
@group(0) @binding(2) var<storage, read> d_attended: array<f32>;
@group(0) @binding(3) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_qkv: array<f32>;

const DIM: u32 = PARTS * STEP;
const TOKEN: u32 = (HEADS + 2u * KV_HEADS) * DIM;
const SHARING: u32 = HEADS / KV_HEADS;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let row = group.z * LENGTH;
  let first = group.x * LANES;
  let part = lane % STEP;
  let key = first + lane;
  let key_at = (row + min(key, LENGTH - 1u)) * TOKEN + (HEADS + group.y) * DIM;
  let value_at = key_at + KV_HEADS * DIM;
//#for p PARTS
//#for s STEP
  let k$p_$s = SCALE * qkv[key_at + $pu * STEP + $su];
  let v$p_$s = qkv[value_at + $pu * STEP + $su];
  var dk$p_$s = 0.0;
  var dv$p_$s = 0.0;
//#next
//#next
  for (var head = group.y * SHARING; head < (group.y + 1u) * SHARING; head += 1u) {
    for (var query = first; query < LENGTH; query += 1u) {
      // Starts never decrease, so from here on no query sees a key of this block.
      if (document_start[row + query] >= first + LANES) {
        break;
      }
      let token = row + query;
      let q_at = token * TOKEN + head * DIM + part;
      let dy_at = (token * HEADS + head) * DIM + part;
      var score = 0.0;
      var slope = 0.0;
//#for p PARTS
      let queries$p = qkv[q_at + $pu * STEP];
      let slopes$p = d_attended[dy_at + $pu * STEP];
//#for s STEP
      let q$p_$s = subgroupBroadcast(queries$p, $su);
      let dy$p_$s = subgroupBroadcast(slopes$p, $su);
      score += k$p_$s * q$p_$s;
      slope += v$p_$s * dy$p_$s;
//#next
//#next
      let seen = key <= query && key >= document_start[token];
      let p = select(0.0, exp(score - log_sum_exp[token * HEADS + head]), seen);
      let ds = p * (slope - delta[token * HEADS + head]);
//#for p PARTS
//#for s STEP
      let again$p_$s = subgroupBroadcast(queries$p, $su);
      let dy_again$p_$s = subgroupBroadcast(slopes$p, $su);
      dk$p_$s += ds * again$p_$s;
      dv$p_$s += p * dy_again$p_$s;
//#next
//#next
    }
  }
  if (key < LENGTH) {
//#for p PARTS
//#for s STEP
    d_qkv[key_at + $pu * STEP + $su] = SCALE * dk$p_$s;
    d_qkv[value_at + $pu * STEP + $su] = dv$p_$s;
//#next
//#next
  }
}
