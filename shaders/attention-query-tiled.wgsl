// Gradient of attention with respect to the queries, in tiles of 64 queries and 32 keys:
//   dq = SCALE * sum over keys of p (d_attended . v - delta) k,   p = exp(SCALE q . k - log_sum_exp)
// Writes the query part of d_qkv. Grid: x over blocks of 64 queries, y over heads, z over rows.
// Preceded by attention-tile.wgsl.
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.z * LENGTH;
  let head = group.y;
  let first = group.x * 64u;
  let query_at = head * VECTORS;
  let key_at = (HEADS + head / SHARING) * VECTORS;
  let value_at = key_at + KV_HEADS * VECTORS;
  let down = lane / 8u;
  let across = lane % 8u;
//#for i 4
  let query$i = first + down + 16u * $iu;
  let token$i = row + min(query$i, LENGTH - 1u);
  let start$i = document_start[token$i];
  let normalizer$i = log_sum_exp[token$i * HEADS + head];
  let mean$i = delta[token$i * HEADS + head];
//#next
//#for c CHUNKS
  var sums$c = array<vec4f, 4>();
//#next
  let end = min(first + 64u, LENGTH);
  for (var key = document_start[row + first]; key < end; key += 32u) {
    var scores = array<vec4f, 4>();
    for (var chunk = 0u; chunk < CHUNKS; chunk += 1u) {
      own_qkv(lane, row, first, query_at, chunk);
      walk_qkv(lane, row, key, key_at, chunk);
      workgroupBarrier();
      add_products(down, across, &scores);
      workgroupBarrier();
    }
    var slopes = array<vec4f, 4>();
    for (var chunk = 0u; chunk < CHUNKS; chunk += 1u) {
      own_d_attended(lane, row, first, head, chunk);
      walk_qkv(lane, row, key, value_at, chunk);
      workgroupBarrier();
      add_products(down, across, &slopes);
      workgroupBarrier();
    }
    let keys = vec4u(key + across * 4u) + vec4u(0u, 1u, 2u, 3u);
    var d_scores = array<vec4f, 4>();
//#for i 4
    let seen$i = (keys >= vec4u(start$i)) & (keys <= vec4u(query$i));
    d_scores[$i] = select(vec4f(), exp(SCALE * scores[$i] - normalizer$i) * (slopes[$i] - mean$i), seen$i);
//#next
    own_weights(down, across, &d_scores);
//#for c CHUNKS
    walk_qkv(lane, row, key, key_at, $cu);
    workgroupBarrier();
    add_weighted(down, across, &sums$c);
    workgroupBarrier();
//#next
  }
//#for i 4
  if (query$i < LENGTH) {
    let at = (row + query$i) * TOKEN + query_at;
//#for c CHUNKS
    if ($cu * 8u + across < VECTORS) {
      d_qkv[at + $cu * 8u + across] = SCALE * sums$c[$i];
    }
//#next
  }
//#next
}
