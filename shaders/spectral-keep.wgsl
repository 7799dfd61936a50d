// The first kept[z] columns of each matrix z of a batch: result [BATCH, ROWS, COLUMNS] gets those of `known`, times SIGN, and zero behind them, or with the flag
// MERGE only those and leaves what it has behind them.
//
// Baked: ROWS, COLUMNS, SIGN; flag MERGE.
@group(0) @binding(0) var<storage, read> known: array<f32>;
@group(0) @binding(1) var<storage, read> kept: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= COLUMNS) {
    return;
  }
  let at = (id.z * ROWS + id.y) * COLUMNS + id.x;
  let is_kept = id.x < kept[id.z];
//#if MERGE
  if (is_kept) {
    result[at] = SIGN * known[at];
  }
//#else
  result[at] = select(0.0, SIGN * known[at], is_kept);
//#end
}
