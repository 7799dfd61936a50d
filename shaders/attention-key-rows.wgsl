// Gradient of attention with respect to keys and values for adapters that run on the CPU: one invocation a key, which
// walks the queries that may see it, over the query heads of its group in order; nothing is added from two places.
//   dv = sum of p d_attended,   dk = SCALE * sum of p (d_attended . v - delta) q
// Queries come from bounds that depend on the workgroup alone, so their loads are one address for all lanes.
// Writes the key and value parts of d_qkv. Grid: x over blocks of WIDTH keys, y over key-value heads, z over rows.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> document_start: array<u32>;
@group(0) @binding(2) var<storage, read> d_attended: array<vec4f>;
@group(0) @binding(3) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_qkv: array<vec4f>;

const TOKEN: u32 = (HEADS + 2u * KV_HEADS) * VECTORS;
const SHARING: u32 = HEADS / KV_HEADS;

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.z * LENGTH;
  let first = group.x * WIDTH;
  let key = first + lane;
  let token = row + min(key, LENGTH - 1u);
  let key_at = token * TOKEN + (HEADS + group.y) * VECTORS;
  let value_at = key_at + KV_HEADS * VECTORS;
//#for d VECTORS
  let k$d = SCALE * qkv[key_at + $du];
  let v$d = qkv[value_at + $du];
  var dk$d = vec4f();
  var dv$d = vec4f();
//#next
  let last = min(first + WIDTH, LENGTH) - 1u;
  for (var head = group.y * SHARING; head < (group.y + 1u) * SHARING; head += 1u) {
    for (var query = first; query < LENGTH; query += BLOCK) {
      // Starts never decrease, so from here on no query sees a key of this block.
      if (document_start[row + query] > last) {
        break;
      }
//#for n BLOCK
      let token$n = row + min(query + $nu, LENGTH - 1u);
      let q_at$n = token$n * TOKEN + head * VECTORS;
      let dy_at$n = (token$n * HEADS + head) * VECTORS;
      var products$n = vec4f();
      var slopes$n = vec4f();
//#for d VECTORS
      products$n += k$d * qkv[q_at$n + $du];
      slopes$n += v$d * d_attended[dy_at$n + $du];
//#next
      let score$n = (products$n.x + products$n.y) + (products$n.z + products$n.w);
      let slope$n = (slopes$n.x + slopes$n.y) + (slopes$n.z + slopes$n.w);
      let seen$n = key <= query + $nu && query + $nu < LENGTH && key >= document_start[token$n];
      let p$n = select(0.0, exp(score$n - log_sum_exp[token$n * HEADS + head]), seen$n);
      let ds$n = p$n * (slope$n - delta[token$n * HEADS + head]);
//#next
//#for d VECTORS
//#for n BLOCK
      dv$d += p$n * d_attended[dy_at$n + $du];
      dk$d += ds$n * qkv[q_at$n + $du];
//#next
//#next
    }
  }
  if (key < LENGTH) {
//#for d VECTORS
    d_qkv[key_at + $du] = SCALE * dk$d;
    d_qkv[value_at + $du] = dv$d;
//#next
  }
}
