// gradient[id] += sum of dy over the tokens with that id, in the order of the tokens: one workgroup an id, no atomics.
// Run r of equal ids is sorted[runStart[r] .. runStart[r + 1]); empty runs fill the rest of the grid.
@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> sorted: array<u32>;
@group(0) @binding(3) var<storage, read> runStart: array<u32>;
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let run = group.y * groups.x + group.x;
  if (run >= RUNS) {
    return;
  }
  let first = runStart[run];
  let end = runStart[run + 1u];
  if (first >= end) {
    return;
  }
  let row = ids[sorted[first]] * WIDTH;
  for (var i = lane; i < WIDTH; i += LANES) {
    var sum = gradient[row + i];
    for (var s = first; s < end; s++) {
      sum += dy[sorted[s] * WIDTH + i];
    }
    gradient[row + i] = sum;
  }
}
