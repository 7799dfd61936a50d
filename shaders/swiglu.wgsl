// y = silu(gate) * up; a row of gateUp holds WIDTH gates, then WIDTH ups. With QUADS a value is four neighbours; WIDTH and COUNT count values.
//#if QUADS
alias Value = vec4f;
//#else
alias Value = f32;
//#end
@group(0) @binding(0) var<storage, read> gateUp: array<Value>;
@group(0) @binding(1) var<storage, read_write> y: array<Value>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 256u + lane;
  if (i >= COUNT) {
    return;
  }
  let at = i / WIDTH * 2u * WIDTH + i % WIDTH;
  let gate = gateUp[at];
  y[i] = gate / (1.0 + exp(-gate)) * gateUp[at + WIDTH];
}
