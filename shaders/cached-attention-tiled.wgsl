// Attention of a chunk of prompts over their caches in tiles: attention-tiled.wgsl with its keys and values in the cache.
// A workgroup owns 64 neighbouring rows, which the host has made rows of one slot at rising positions, or padding after
// them (a slot that does not exist).
//
//   qkv          [ROWS, (HEADS + 2 KV_HEADS) * VECTORS]
//   keys, values [SLOTS, LENGTH, KV_HEADS * VECTORS]
//   attended     [ROWS, HEADS * VECTORS]
// Baked: ROWS, SLOTS, LENGTH, HEADS, KV_HEADS, VECTORS, CHUNKS (of 8 vectors), SCALE. Grid: x over blocks of 64 rows, y
// over heads. Preceded by attention-tile-products.wgsl.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> slots: array<u32>;
@group(0) @binding(5) var<storage, read_write> attended: array<vec4f>;

const TOKEN: u32 = (HEADS + 2u * KV_HEADS) * VECTORS;
const NOTHING: f32 = -1e30;

// The eight invocations of a row exchange their maxima, and at the end their sums, here.
var<workgroup> exchanged: array<f32, 512>;

fn own_queries(lane: u32, first: u32, count: u32, head_at: u32, chunk: u32) {
  for (var i = lane; i < 512u; i += 128u) {
    let vector = chunk * 8u + i % 8u;
    var four = vec4f();
    if (i / 8u < count && vector < VECTORS) {
      four = qkv[(first + i / 8u) * TOKEN + head_at + vector];
    }
    owned[i / 8u * PITCH + i % 8u] = four;
  }
}

fn walk_keys(lane: u32, key: u32, end: u32, cache_at: u32, chunk: u32) {
  for (var i = lane; i < 256u; i += 128u) {
    let vector = chunk * 8u + i % 8u;
    var four = vec4f();
    if (key + i / 8u < end && vector < VECTORS) {
      four = keys_four(cache_at + (key + i / 8u) * (KV_HEADS * VECTORS) + vector);
    }
    walked[walked_slot(i / 8u) + i % 8u] = four;
  }
}

fn walk_values(lane: u32, key: u32, end: u32, cache_at: u32, chunk: u32) {
  for (var i = lane; i < 256u; i += 128u) {
    let vector = chunk * 8u + i % 8u;
    var four = vec4f();
    if (key + i / 8u < end && vector < VECTORS) {
      four = values_four(cache_at + (key + i / 8u) * (KV_HEADS * VECTORS) + vector);
    }
    walked[walked_slot(i / 8u) + i % 8u] = four;
  }
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.y;
  let first = group.x * 64u;
  let slot = slots[first];
  if (slot >= SLOTS) {
    return;
  }
  var count = 1u;
  while (count < 64u && first + count < ROWS && slots[min(first + count, ROWS - 1u)] == slot) {
    count++;
  }
  let end = positions[first] + count;
  let cache_at = slot * LENGTH * (KV_HEADS * VECTORS) + head / (HEADS / KV_HEADS) * VECTORS;
  let down = lane / 8u;
  let across = lane % 8u;
//#for i 4
  let query$i = positions[first] + down + 16u * $iu;
  var most$i = NOTHING;
  var total$i = 0.0;
//#next
//#for c CHUNKS
  var sums$c = array<vec4f, 4>();
//#next
  for (var key = 0u; key < end; key += 32u) {
    var scores = array<vec4f, 4>();
    for (var chunk = 0u; chunk < CHUNKS; chunk += 1u) {
      own_queries(lane, first, count, head * VECTORS, chunk);
      walk_keys(lane, key, end, cache_at, chunk);
      workgroupBarrier();
      add_products(down, across, &scores);
      workgroupBarrier();
    }
    let keys = vec4u(key + across * 4u) + vec4u(0u, 1u, 2u, 3u);
//#for i 4
    let seen$i = keys <= vec4u(query$i);
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
    walk_values(lane, key, end, cache_at, $cu);
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
  if (down + 16u * $iu < count) {
    var sum = 0.0;
    for (var other = 0u; other < 8u; other += 1u) {
      sum += exchanged[(down + 16u * $iu) * 8u + other];
    }
    let at = ((first + down + 16u * $iu) * HEADS + head) * VECTORS;
//#for c CHUNKS
    if ($cu * 8u + across < VECTORS) {
      attended[at + $cu * 8u + across] = sums$c[$i] / sum;
    }
//#next
  }
//#next
}
