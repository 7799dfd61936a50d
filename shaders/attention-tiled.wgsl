// Attention in tiles: softmax(SCALE q k^T) v with an online softmax (FlashAttention, arXiv 2205.14135), the scores of
// 64 queries and 32 keys at a time. Tiles above the diagonal, and tiles before the first document that a query of the
// workgroup belongs to, are never visited.
//
//   qkv            [ROWS * LENGTH, (HEADS + 2 KV_HEADS) * 4 VECTORS]   queries, keys, values; positions are in them
//   document_start [ROWS * LENGTH]   where in its row the token's document begins; never decreases along a row
//   attended       [ROWS * LENGTH, HEADS * 4 VECTORS]
//   log_sum_exp    [ROWS * LENGTH, HEADS]
// Grid: x over blocks of 64 queries, y over heads, z over rows. Preceded by attention-tile.wgsl.
const NOTHING: f32 = -1e30;

// The eight invocations of a row exchange their maxima, and at the end their sums, here.
var<workgroup> exchanged: array<f32, 512>;

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
  let start$i = document_start[row + min(query$i, LENGTH - 1u)];
  var most$i = NOTHING;
  var total$i = 0.0;
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
    let keys = vec4u(key + across * 4u) + vec4u(0u, 1u, 2u, 3u);
//#for i 4
    let seen$i = (keys >= vec4u(start$i)) & (keys <= vec4u(query$i));
    let score$i = select(vec4f(NOTHING), SCALE * scores[$i], seen$i);
    exchanged[(down + 16u * $iu) * 8u + across] = max(max(score$i.x, score$i.y), max(score$i.z, score$i.w));
//#next
    workgroupBarrier();
    var weights = array<vec4f, 4>();
//#for i 4
    var raised$i = most$i;
    for (var other = 0u; other < 8u; other += 1u) {
      raised$i = max(raised$i, exchanged[(down + 16u * $iu) * 8u + other]);
    }
    let kept$i = exp(most$i - raised$i);
    most$i = raised$i;
    weights[$i] = select(vec4f(), exp(score$i - raised$i), seen$i);
    total$i = total$i * kept$i + ((weights[$i].x + weights[$i].y) + (weights[$i].z + weights[$i].w));
//#next
//#for c CHUNKS
//#for i 4
    sums$c[$i] *= kept$i;
//#next
//#next
    own_weights(down, across, &weights);
//#for c CHUNKS
    walk_qkv(lane, row, key, value_at, $cu);
    workgroupBarrier();
    add_weighted(down, across, &sums$c);
    workgroupBarrier();
//#next
  }
//#for i 4
  exchanged[(down + 16u * $iu) * 8u + across] = total$i;
//#next
  workgroupBarrier();
//#for i 4
  if (query$i < LENGTH) {
    var sum = 0.0;
    for (var other = 0u; other < 8u; other += 1u) {
      sum += exchanged[(down + 16u * $iu) * 8u + other];
    }
    let token = row + query$i;
    let at = (token * HEADS + head) * VECTORS;
//#for c CHUNKS
    if ($cu * 8u + across < VECTORS) {
      attended[at + $cu * 8u + across] = sums$c[$i] / sum;
    }
//#next
    if (across == 0u) {
      log_sum_exp[token * HEADS + head] = most$i + log(sum);
    }
  }
//#next
}
