// Attention of one query a row over the cache of its slot up to its position, the keys split into parts of PART. A
// workgroup takes a part of the keys of one row for the SHARED query heads of a key-value head (or as many of them), so
// that a key is loaded once for all of them: first a lane a key for the scores, then a lane a vector of the head for the
// mixture.
//
//   qkv       [ROWS, (HEADS + 2 KV_HEADS) * VECTORS]
//   keys, values [SLOTS, LENGTH, KV_HEADS * VECTORS]
//   mixed     [ROWS, HEADS, VECTORS], divided by the sum; with PARTS > 1 [ROWS, HEADS, PARTS, VECTORS], not divided
//   tops      [ROWS, HEADS, PARTS, 2]: with PARTS > 1 the largest score of each part and the sum of exp(score - largest)
// Baked: SLOTS, LENGTH, HEADS, KV_HEADS, SHARED, VECTORS, SCALE, PART, PARTS, KEYS, LANES, WALKERS (how many lanes walk the keys
// of one vector of the head side by side). Flag: SPLIT (PARTS > 1). Grid: x over heads in groups of SHARED, y over rows, z
// over parts.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> slots: array<u32>;
@group(0) @binding(5) var<storage, read_write> mixed: array<vec4f>;
//#if SPLIT
@group(0) @binding(6) var<storage, read_write> tops: array<vec2f>;
//#end

var<workgroup> scores: array<f32, SHARED * PART>;
var<workgroup> exchanged: array<f32, SHARED * LANES>;
var<workgroup> walked: array<vec4f, SHARED * WALKERS * VECTORS>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  let head = group.x * SHARED;
  let slot = slots[row];
  let end = min(positions[row] + 1u, (group.z + 1u) * PART);
  let first = group.z * PART;
  if (slot >= SLOTS || first >= end) {
    return;
  }
  let count = end - first;
  let query = (row * (HEADS + 2u * KV_HEADS) + head) * VECTORS;
  let cached = (slot * LENGTH + first) * (KV_HEADS * VECTORS) + head / (HEADS / KV_HEADS) * VECTORS;

//#for h SHARED
  var top$h = -3.0e38;
//#next
  // Several keys a lane at a time: a number of the query is loaded once for all of them.
  for (var key = lane; key < count; key += KEYS * LANES) {
//#for k KEYS
    let at$k = cached + min(key + $ku * LANES, count - 1u) * (KV_HEADS * VECTORS);
//#for h SHARED
    var score$h_$k = 0.0;
//#next
//#next
    for (var v = 0u; v < VECTORS; v++) {
//#for k KEYS
      let four$k = keys_four(at$k + v);
//#next
//#for h SHARED
      let query$h = qkv[query + $hu * VECTORS + v];
//#for k KEYS
      score$h_$k += dot(query$h, four$k);
//#next
//#next
    }
//#for k KEYS
    if (key + $ku * LANES < count) {
//#for h SHARED
      scores[$hu * PART + key + $ku * LANES] = SCALE * score$h_$k;
      top$h = max(top$h, SCALE * score$h_$k);
//#next
    }
//#next
  }
//#for h SHARED
  exchanged[$hu * LANES + lane] = top$h;
//#next
  workgroupBarrier();
  for (var other = 0u; other < LANES; other++) {
//#for h SHARED
    top$h = max(top$h, exchanged[$hu * LANES + other]);
//#next
  }
  workgroupBarrier();
//#for h SHARED
  var sum$h = 0.0;
//#next
  for (var key = lane; key < count; key += LANES) {
//#for h SHARED
    let weight$h = exp(scores[$hu * PART + key] - top$h);
    scores[$hu * PART + key] = weight$h;
    sum$h += weight$h;
//#next
  }
//#for h SHARED
  exchanged[$hu * LANES + lane] = sum$h;
//#next
  workgroupBarrier();
//#for h SHARED
  sum$h = 0.0;
//#next
  for (var other = 0u; other < LANES; other++) {
//#for h SHARED
    sum$h += exchanged[$hu * LANES + other];
//#next
  }

  for (var i = lane; i < WALKERS * VECTORS; i += LANES) {
    let v = i % VECTORS;
//#for h SHARED
    var mix$h = vec4f();
//#next
    for (var key = i / VECTORS; key < count; key += WALKERS) {
      let four = values_four(cached + key * (KV_HEADS * VECTORS) + v);
//#for h SHARED
      mix$h += scores[$hu * PART + key] * four;
//#next
    }
//#for h SHARED
    walked[$hu * (WALKERS * VECTORS) + i] = mix$h;
//#next
  }
  workgroupBarrier();
  for (var v = lane; v < VECTORS; v += LANES) {
//#for h SHARED
    {
      var mix = walked[$hu * (WALKERS * VECTORS) + v];
      for (var walker = 1u; walker < WALKERS; walker++) {
        mix += walked[$hu * (WALKERS * VECTORS) + walker * VECTORS + v];
      }
//#if SPLIT
      mixed[((row * HEADS + head + $hu) * PARTS + group.z) * VECTORS + v] = mix;
//#else
      mixed[(row * HEADS + head + $hu) * VECTORS + v] = mix / sum$h;
//#end
    }
//#next
  }
//#if SPLIT
  if (lane == 0u) {
//#for h SHARED
    tops[(row * HEADS + head + $hu) * PARTS + group.z] = vec2f(top$h, sum$h);
//#next
  }
//#end
}
