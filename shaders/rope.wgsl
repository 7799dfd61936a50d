// Rotary position embedding of x, or with BIAS of x + bias: in each of the first ROTATED heads the pair (i, i + HALF)
// turns by the angle of its position, i < HALF; the REST pairs of numbers behind them and the other heads are copied.
// BACKWARD turns the other way. With QUADS a value is four neighbours; HALF, REST and COUNT count values.
//#if QUADS
alias Value = vec4f;
//#else
alias Value = f32;
//#end
@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<Value>;
@group(0) @binding(3) var<storage, read_write> y: array<Value>;
//#if BIAS
@group(0) @binding(4) var<storage, read> bias: array<Value>;
//#end

const PAIRS = HALF + REST;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = (group.y * groups.x + group.x) * 256u + lane;
  if (item >= COUNT) {
    return;
  }
  let i = item % PAIRS;
  let head = item / PAIRS;
  let rotary = i < HALF;
  let apart = select(REST, HALF, rotary);
  let within = i + select(HALF, 0u, rotary);
  let first = head * 2u * PAIRS + within;
  var a = x[first];
  var b = x[first + apart];
  //#if BIAS
  let column = head % HEADS * 2u * PAIRS + within;
  a += bias[column];
  b += bias[column + apart];
  //#end
  if (!rotary || head % HEADS >= ROTATED) {
    y[first] = a;
    y[first + apart] = b;
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
