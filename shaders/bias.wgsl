// y = x + bias, the bias repeated over the rows. With QUADS a value is four neighbours; WIDTH and COUNT count values.
//#if QUADS
alias Value = vec4f;
//#else
alias Value = f32;
//#end
@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> bias: array<Value>;
@group(0) @binding(2) var<storage, read_write> y: array<Value>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 256u + lane;
  if (i < COUNT) {
    y[i] = x[i] + bias[i % WIDTH];
  }
}
