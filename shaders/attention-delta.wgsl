// delta = sum over the head's dimensions of d_attended * attended: what the softmax's gradient subtracts from every
// entry of a row (FlashAttention, arXiv 2205.14135, section B.4). One invocation for each of COUNT (token, head) pairs.
@group(0) @binding(0) var<storage, read> attended: array<vec4f>;
@group(0) @binding(1) var<storage, read> d_attended: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> delta: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= COUNT) {
    return;
  }
  var products = vec4f();
  for (var d = 0u; d < VECTORS; d += 1u) {
    products += attended[i * VECTORS + d] * d_attended[i * VECTORS + d];
  }
  delta[i] = (products.x + products.y) + (products.z + products.w);
}
