// Gradient of attention with respect to keys and values, in tiles of 64 keys and 32 queries:
//   dv = sum of p d_attended,   dk = SCALE * sum of p (d_attended . v - delta) q
// A workgroup walks the query heads of its group in order and each one's queries in order, so every sum has one order.
// Writes the key and value parts of d_qkv. Grid: x over blocks of 64 keys, y over key-value heads, z over rows.
// Preceded by attention-tile.wgsl.
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.z * LENGTH;
  let first = group.x * 64u;
  let key_at = (HEADS + group.y) * VECTORS;
  let value_at = key_at + KV_HEADS * VECTORS;
  let down = lane / 8u;
  let across = lane % 8u;
//#for c CHUNKS
  var d_keys$c = array<vec4f, 4>();
  var d_values$c = array<vec4f, 4>();
//#next
  for (var head = group.y * SHARING; head < (group.y + 1u) * SHARING; head += 1u) {
    let query_at = head * VECTORS;
    for (var query = first; query < LENGTH; query += 32u) {
      // Starts never decrease, so from here on no query sees a key of this tile.
      if (document_start[row + query] >= first + 64u) {
        break;
      }
      var scores = array<vec4f, 4>();
      for (var chunk = 0u; chunk < CHUNKS; chunk += 1u) {
        own_qkv(lane, row, first, key_at, chunk);
        walk_qkv(lane, row, query, query_at, chunk);
        workgroupBarrier();
        add_products(down, across, &scores);
        workgroupBarrier();
      }
      var slopes = array<vec4f, 4>();
      for (var chunk = 0u; chunk < CHUNKS; chunk += 1u) {
        own_qkv(lane, row, first, value_at, chunk);
        walk_d_attended(lane, row, query, head, chunk);
        workgroupBarrier();
        add_products(down, across, &slopes);
        workgroupBarrier();
      }
      let queries = vec4u(query + across * 4u) + vec4u(0u, 1u, 2u, 3u);
      let tokens = vec4u(row) + min(queries, vec4u(LENGTH - 1u));
      let at = tokens * HEADS + head;
      let starts = vec4u(document_start[tokens.x], document_start[tokens.y], document_start[tokens.z], document_start[tokens.w]);
      let normalizers = vec4f(log_sum_exp[at.x], log_sum_exp[at.y], log_sum_exp[at.z], log_sum_exp[at.w]);
      let means = vec4f(delta[at.x], delta[at.y], delta[at.z], delta[at.w]);
      var weights = array<vec4f, 4>();
      var d_scores = array<vec4f, 4>();
//#for i 4
      let key$i = vec4u(first + down + 16u * $iu);
      let seen$i = (key$i <= queries) & (queries < vec4u(LENGTH)) & (key$i >= starts);
      weights[$i] = select(vec4f(), exp(SCALE * scores[$i] - normalizers), seen$i);
      d_scores[$i] = weights[$i] * (slopes[$i] - means);
//#next
      own_weights(down, across, &weights);
//#for c CHUNKS
      walk_d_attended(lane, row, query, head, $cu);
      workgroupBarrier();
      add_weighted(down, across, &d_values$c);
      workgroupBarrier();
//#next
      own_weights(down, across, &d_scores);
//#for c CHUNKS
      walk_qkv(lane, row, query, query_at, $cu);
      workgroupBarrier();
      add_weighted(down, across, &d_keys$c);
      workgroupBarrier();
//#next
    }
  }
//#for i 4
  let key$i = first + down + 16u * $iu;
  if (key$i < LENGTH) {
    let at = (row + key$i) * TOKEN;
//#for c CHUNKS
    if ($cu * 8u + across < VECTORS) {
      d_qkv[at + key_at + $cu * 8u + across] = SCALE * d_keys$c[$i];
      d_qkv[at + value_at + $cu * 8u + across] = d_values$c[$i];
    }
//#next
  }
//#next
}
