// Gradient of attention with respect to the queries for adapters that run on the CPU: one invocation a query, laid out
// and masked as in attention-rows.wgsl.
//   dq = SCALE * sum over keys of p (d_attended . v - delta) k,   p = exp(SCALE q . k - log_sum_exp)
// Writes the query part of d_qkv. Grid: x over blocks of WIDTH queries, y over heads, z over rows.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> document_start: array<u32>;
@group(0) @binding(2) var<storage, read> d_attended: array<vec4f>;
@group(0) @binding(3) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_qkv: array<vec4f>;

const TOKEN: u32 = (HEADS + 2u * KV_HEADS) * VECTORS;

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
  let normalizer = log_sum_exp[token * HEADS + head];
  let mean = delta[token * HEADS + head];
//#for d VECTORS
  let q$d = SCALE * qkv[token * TOKEN + head * VECTORS + $du];
  let dy$d = d_attended[(token * HEADS + head) * VECTORS + $du];
  var dq$d = vec4f();
//#next
  let end = min(first + WIDTH, LENGTH);
  for (var key = document_start[row + first]; key < end; key += 4u) {
//#for n 4
    let at$n = (row + min(key + $nu, LENGTH - 1u)) * TOKEN;
    var products$n = vec4f();
    var slopes$n = vec4f();
//#for d VECTORS
    products$n += q$d * qkv[at$n + key_at + $du];
    slopes$n += dy$d * qkv[at$n + value_at + $du];
//#next
    let score$n = (products$n.x + products$n.y) + (products$n.z + products$n.w);
    let slope$n = (slopes$n.x + slopes$n.y) + (slopes$n.z + slopes$n.w);
    let seen$n = key + $nu >= start && key + $nu <= query;
    let ds$n = select(0.0, exp(score$n - normalizer) * (slope$n - mean), seen$n);
//#next
//#for d VECTORS
    dq$d += ds0 * qkv[at0 + key_at + $du] + ds1 * qkv[at1 + key_at + $du] + ds2 * qkv[at2 + key_at + $du] + ds3 * qkv[at3 + key_at + $du];
//#next
  }
  if (query < LENGTH) {
//#for d VECTORS
    d_qkv[token * TOKEN + head * VECTORS + $du] = SCALE * dq$d;
//#next
  }
}
