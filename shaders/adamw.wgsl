// AdamW (arXiv 1711.05101) over a whole shard of parameters, four elements a lane. Elements from MATRIX_END on belong
// to vectors (norm gains, biases) and are not decayed. Appended to step-uniform.wgsl.
@group(0) @binding(0) var<uniform> numbers: StepNumbers;
@group(0) @binding(1) var<storage, read> control: Control;
@group(0) @binding(2) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> weights: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> moment1: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> moment2: array<vec4f>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 256u + lane;
  if (i >= COUNT / 4u || control.skip == 1u) {
    return;
  }
  let gradient = gradients[i] * control.scale;
  let m = moment1[i] * numbers.beta1 + gradient * numbers.oneMinusBeta1;
  let v = moment2[i] * numbers.beta2 + gradient * gradient * numbers.oneMinusBeta2;
  moment1[i] = m;
  moment2[i] = v;
  let decay = select(0.0, numbers.learningRate * numbers.weightDecay, i < MATRIX_END / 4u);
  let denominator = sqrt(v / control.correction2) + numbers.epsilon;
  weights[i] = weights[i] * (1.0 - decay) - numbers.learningRate / control.correction1 * m / denominator;
}
