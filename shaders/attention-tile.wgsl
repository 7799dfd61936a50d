// What the three tiled attention kernels share. Written in front of each of them.
//
// A workgroup of 128 owns a tile of 64 rows (queries, or keys) and walks tiles of 32 positions of the other kind. The
// 64 x 32 scores live in registers: invocation (down, across) of 16 x 8 holds rows down + 16 i and columns
// 4 across + n, i and n in 0..3. Products over the head dimension pass through workgroup memory in chunks of 32
// numbers, so its size does not depend on the head dimension; dimensions past the head's end are zeros.
//
// Column 4 a + n of the walked tile is kept in slot 8 n + a: the eight invocations side by side then read eight
// neighbouring slots, and a pitch of 9 vectors puts these in different banks.
//
// Variables in loops are given their zeros explicitly: on Vulkan, Tint zeroes a declaration without a value only once.
//
// Baked: LENGTH, HEADS, KV_HEADS, VECTORS (head dimension / 4), CHUNKS (of 8 vectors), SCALE. Flag: GRADIENT.
@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> document_start: array<u32>;
//#if GRADIENT
@group(0) @binding(2) var<storage, read> d_attended: array<vec4f>;
@group(0) @binding(3) var<storage, read> log_sum_exp: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_qkv: array<vec4f>;
//#else
@group(0) @binding(2) var<storage, read_write> attended: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> log_sum_exp: array<f32>;
//#end

const TOKEN: u32 = (HEADS + 2u * KV_HEADS) * VECTORS;
const SHARING: u32 = HEADS / KV_HEADS;
const PITCH: u32 = 9u;

var<workgroup> owned: array<vec4f, 576>;
var<workgroup> walked: array<vec4f, 288>;

// One vector of the head that begins at vector `head_at` of each token of qkv; zero past the row's or the head's end.
fn qkv_vector(row: u32, position: u32, head_at: u32, vector: u32) -> vec4f {
  if (position >= LENGTH || vector >= VECTORS) {
    return vec4f();
  }
  return qkv[(row + position) * TOKEN + head_at + vector];
}

fn own_qkv(lane: u32, row: u32, first: u32, head_at: u32, chunk: u32) {
  for (var i = lane; i < 512u; i += 128u) {
    owned[i / 8u * PITCH + i % 8u] = qkv_vector(row, first + i / 8u, head_at, chunk * 8u + i % 8u);
  }
}

fn walked_slot(position: u32) -> u32 {
  return (position % 4u * 8u + position / 4u) * PITCH;
}

fn walk_qkv(lane: u32, row: u32, first: u32, head_at: u32, chunk: u32) {
  for (var i = lane; i < 256u; i += 128u) {
    walked[walked_slot(i / 8u) + i % 8u] = qkv_vector(row, first + i / 8u, head_at, chunk * 8u + i % 8u);
  }
}

//#if GRADIENT
fn d_attended_vector(row: u32, position: u32, head: u32, vector: u32) -> vec4f {
  if (position >= LENGTH || vector >= VECTORS) {
    return vec4f();
  }
  return d_attended[((row + position) * HEADS + head) * VECTORS + vector];
}

fn own_d_attended(lane: u32, row: u32, first: u32, head: u32, chunk: u32) {
  for (var i = lane; i < 512u; i += 128u) {
    owned[i / 8u * PITCH + i % 8u] = d_attended_vector(row, first + i / 8u, head, chunk * 8u + i % 8u);
  }
}

fn walk_d_attended(lane: u32, row: u32, first: u32, head: u32, chunk: u32) {
  for (var i = lane; i < 256u; i += 128u) {
    walked[walked_slot(i / 8u) + i % 8u] = d_attended_vector(row, first + i / 8u, head, chunk * 8u + i % 8u);
  }
}
//#end

// Adds to the scores the products of the staged chunks: sums[i][n] += owned row i . walked column n.
fn add_products(down: u32, across: u32, sums: ptr<function, array<vec4f, 4>>) {
//#for i 4
  var sum$i = (*sums)[$i];
//#next
  for (var v = 0u; v < 8u; v += 1u) {
//#for n 4
    let b$n = walked[($nu * 8u + across) * PITCH + v];
//#next
//#for i 4
    let a$i = owned[(down + 16u * $iu) * PITCH + v];
    sum$i += vec4f(dot(a$i, b0), dot(a$i, b1), dot(a$i, b2), dot(a$i, b3));
//#next
  }
//#for i 4
  (*sums)[$i] = sum$i;
//#next
}

// Puts a 64 x 32 tile of weights where the owned rows were: four neighbouring columns a vector.
fn own_weights(down: u32, across: u32, weights: ptr<function, array<vec4f, 4>>) {
//#for i 4
  owned[(down + 16u * $iu) * PITCH + across] = (*weights)[$i];
//#next
}

// Adds to four rows of results, at vector `across` of the staged chunk, the walked rows weighted by own_weights.
fn add_weighted(down: u32, across: u32, sums: ptr<function, array<vec4f, 4>>) {
//#for i 4
  var sum$i = (*sums)[$i];
//#next
  for (var quad = 0u; quad < 8u; quad += 1u) {
//#for n 4
    let b$n = walked[($nu * 8u + quad) * PITCH + across];
//#next
//#for i 4
    let w$i = owned[(down + 16u * $iu) * PITCH + quad];
    sum$i += w$i.x * b0 + w$i.y * b1 + w$i.z * b2 + w$i.w * b3;
//#next
  }
//#for i 4
  (*sums)[$i] = sum$i;
//#next
}
