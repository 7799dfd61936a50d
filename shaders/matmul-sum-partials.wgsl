// Second pass of a matmul whose k was split: adds the partial results in the order of their splits, so that the bits
// never depend on which workgroup finished first.
//
// Baked: M, N, BATCH, SPLITS, C_OFFSET, C_STRIDE, *_BINDING. Flags: C_TABLE (matrix z begins at table[z]), ACCUMULATE.

@group(0) @binding(PARTIALS_BINDING) var<storage, read> partials: array<f32>;
@group(0) @binding(C_BINDING) var<storage, read_write> c: array<f32>;
//#if C_TABLE
@group(0) @binding(TABLE_BINDING) var<storage, read> table: array<u32>;
//#end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let element = id.y * groups.x * 64u + id.x;
  if (element >= M * N) {
    return;
  }
  var sum = 0.0;
  for (var split = 0u; split < SPLITS; split += 1u) {
    sum += partials[(split * BATCH + id.z) * M * N + element];
  }
//#if C_TABLE
  let at = table[id.z] + element;
//#else
  let at = C_OFFSET + id.z * C_STRIDE + element;
//#end
//#if ACCUMULATE
  c[at] += sum;
//#else
  c[at] = sum;
//#end
}
