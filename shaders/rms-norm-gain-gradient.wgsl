// Gradient of the RMS norm's gain: the sum over rows of dy * total * inverse, in two fixed stages, no atomics.
// First stage: partial[p, i] over ROWS_PER_PARTIAL rows. FINISH: the sum of the partials.
//#if FINISH
@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
//#else
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> total: array<f32>;
@group(0) @binding(2) var<storage, read> inverse: array<f32>;
@group(0) @binding(3) var<storage, read_write> partial: array<f32>;
//#end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i >= WIDTH) {
    return;
  }
  var sum = 0.0;
  //#if FINISH
  for (var p = 0u; p < PARTIALS; p++) {
    sum += partial[p * WIDTH + i];
  }
  //#if ACCUMULATE
  gradient[i] += sum;
  //#else
  gradient[i] = sum;
  //#end
  //#else
  let first = id.y * ROWS_PER_PARTIAL;
  let last = min(first + ROWS_PER_PARTIAL, ROWS);
  for (var row = first; row < last; row++) {
    sum += dy[row * WIDTH + i] * total[row * WIDTH + i] * inverse[row];
  }
  partial[id.y * WIDTH + i] = sum;
  //#end
}
