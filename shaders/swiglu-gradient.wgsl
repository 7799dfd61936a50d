// With s = sigmoid(gate): dGate = dy * up * s * (1 + gate * (1 - s)), dUp = dy * gate * s. Values as in swiglu.wgsl.
//#if QUADS
alias Value = vec4f;
//#else
alias Value = f32;
//#end
@group(0) @binding(0) var<storage, read> dy: array<Value>;
@group(0) @binding(1) var<storage, read> gateUp: array<Value>;
@group(0) @binding(2) var<storage, read_write> dGateUp: array<Value>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 256u + lane;
  if (i >= COUNT) {
    return;
  }
  let at = i / WIDTH * 2u * WIDTH + i % WIDTH;
  let gate = gateUp[at];
  let up = gateUp[at + WIDTH];
  let d = dy[i];
  let s = 1.0 / (1.0 + exp(-gate));
  dGateUp[at] = d * up * s * (1.0 + gate * (1.0 - s));
  dGateUp[at + WIDTH] = d * gate * s;
}
