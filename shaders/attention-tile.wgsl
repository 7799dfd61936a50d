// What the three tiled attention kernels of training share. Written in front of each of them, after attention-tile-products.wgsl.
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
