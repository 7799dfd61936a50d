// Rotary position embedding: pair (i, i + HALF) of each of the first ROTATED heads turns by the angle of its position;
// the other heads are copied. BACKWARD turns the other way. With QUADS a value is four neighbours; HALF and PAIRS count values.
//#if QUADS
alias Value = vec4f;
//#else
alias Value = f32;
//#end
@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<Value>;
@group(0) @binding(3) var<storage, read_write> y: array<Value>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let pair = (group.y * groups.x + group.x) * 256u + lane;
  if (pair >= PAIRS) {
    return;
  }
  let i = pair % HALF;
  let head = pair / HALF;
  let first = head * 2u * HALF + i;
  let a = x[first];
  let b = x[first + HALF];
  if (head % HEADS >= ROTATED) {
    y[first] = a;
    y[first + HALF] = b;
    return;
  }
  let row = positions[head / HEADS] * 2u * HALF + i;
  let c = table[row];
  //#if BACKWARD
  let s = -table[row + HALF];
  //#else
  let s = table[row + HALF];
  //#end
  y[first] = a * c - b * s;
  y[first + HALF] = b * c + a * s;
}
