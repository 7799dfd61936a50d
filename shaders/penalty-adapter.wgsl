// First stage of lambda s² Σ tr(GB GA) over the Gram matrices GB = PᵀP and GA = QQᵀ [RANK, RANK] of a batch of
// adapters, which become 2 lambda s² GB and 2 lambda s² GA on the way, so that the gradients are products with them.
// Both are symmetric, so the trace is the sum of the products of their entries. partials[i] belongs to invocation i;
// each sums CHUNK / 64 entries in a fixed order.
//
// Baked: SQUARED_SCALE (s²), CHUNK.
@group(0) @binding(0) var<uniform> lambda: f32;
@group(0) @binding(1) var<storage, read_write> gramB: array<f32>;
@group(0) @binding(2) var<storage, read_write> gramA: array<f32>;
@group(0) @binding(3) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let group = workgroup.y * groups.x + workgroup.x;
  let end = min((group + 1u) * CHUNK, arrayLength(&gramB));
  var sum = 0.0;
  for (var i = group * CHUNK + lane; i < end; i += 64u) {
    let b = gramB[i];
    let a = gramA[i];
    sum += SQUARED_SCALE * (b * a);
    gramB[i] = 2.0 * lambda * SQUARED_SCALE * b;
    gramA[i] = 2.0 * lambda * SQUARED_SCALE * a;
  }
  let at = group * 64u + lane;
  if (at < arrayLength(&partials)) {
    partials[at] = sum;
  }
}
