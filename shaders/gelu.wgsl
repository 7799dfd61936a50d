// y = gelu(x + bias), or with GRADIENT dx = dy * gelu'(x + bias). Values as in bias.wgsl.
// TANH: gelu(z) = z / (1 + exp(-2 u)) with u = sqrt(2 / pi) (z + 0.044715 z^3), which is z/2 (1 + tanh u) without tanh.
// Otherwise gelu(z) = z Phi(z) with Phi(z) = (1 + erf(z / sqrt 2)) / 2.
//#if QUADS
alias Value = vec4f;
//#else
alias Value = f32;
//#end
//#if GRADIENT
@group(0) @binding(0) var<storage, read> dy: array<Value>;
@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(2) var<storage, read> bias: array<Value>;
@group(0) @binding(3) var<storage, read_write> dx: array<Value>;
//#else
@group(0) @binding(0) var<storage, read> x: array<Value>;
@group(0) @binding(1) var<storage, read> bias: array<Value>;
@group(0) @binding(2) var<storage, read_write> y: array<Value>;
//#end

//#if TANH
const SQRT_2_PI = 0.7978845608028654;

fn gate(z: Value) -> Value {
  return 1.0 / (1.0 + exp(-2.0 * SQRT_2_PI * (z + 0.044715 * z * z * z)));
}

fn slope(z: Value) -> Value {
  let g = gate(z);
  return g + z * g * (1.0 - g) * 2.0 * SQRT_2_PI * (1.0 + 3.0 * 0.044715 * z * z);
}
//#else
// Polynomials fitted to the least largest error: t + t P(t^2) below 1, 1 - exp(Q(t)) from there to 4, where erf is 1 in
// f32. Within 7.4e-8 of erf, arithmetic in f32 included.
fn erf(z: Value) -> Value {
  let t = min(abs(z), Value(4.0));
  let s = t * t;
  let p = 0.12837917 + s * (-0.37612626 + s * (0.112836 + s * (-0.026854444 + s * (0.0051895357 + s * (-0.0008020842 + s * 0.00007889123)))));
  let q = -0.0026717209 + t * (-1.1174384 + t * (-0.65448904 + t * (-0.088634104 + t * (0.014778096 - t * 0.0011504189))));
  return sign(z) * select(1.0 - exp(q), t + t * p, t < Value(1.0));
}

fn gate(z: Value) -> Value {
  return 0.5 + 0.5 * erf(z * 0.7071067811865476);
}

fn slope(z: Value) -> Value {
  return gate(z) + z * 0.3989422804014327 * exp(-0.5 * z * z);
}
//#end

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 256u + lane;
  if (i >= COUNT) {
    return;
  }
  let z = x[i] + bias[i % WIDTH];
  //#if GRADIENT
  dx[i] = dy[i] * slope(z);
  //#else
  y[i] = z * gate(z);
  //#end
}
