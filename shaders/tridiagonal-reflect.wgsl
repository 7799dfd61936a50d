// The part of a Householder step that one workgroup does for each matrix z (Golub & Van Loan, section 8.3.1; delayed updates as in LAPACK's dlatrd):
// FINISH ends the step before, whose products with the reflector v are there, by w = A v - (vᵀA v / 2) v, so that the matrix becomes A - v wᵀ - w vᵀ;
// BEGIN makes the next row of that matrix and the reflector that clears it behind its second entry. |v|² = 2, so that H = I - v vᵀ.
//
//   a          [BATCH, SIZE, SIZE]    the matrix as it was when the panel began
//   products   [BATCH, SIZE + 2 PANEL] a v from each row's diagonal block on, and factors v
//   behind     [BATCH, BLOCKS, SIZE]  what the row blocks before add to a v
//   factors    [BATCH, 2 PANEL, SIZE] rows -w of the panel's steps, then rows -v
//   columns    [BATCH, SIZE, 2 PANEL] columns v, then columns w: the panel changes a by columns factors
//   reflectors [BATCH, SIZE, SIZE]    row j is the v of step j, zero up to its entry j
//   tridiagonal [BATCH, 2 SIZE]       diagonal, then off-diagonal (entry j joins j and j + 1)
//   steps      [BATCH]                steps begun so far
//
// Baked: SIZE, PANEL, LANES, ROWS (of a row block); flags FINISH, BEGIN.
@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> products: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> factors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> columns: array<f32>;
@group(0) @binding(4) var<storage, read_write> reflectors: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> tridiagonal: array<f32>;
@group(0) @binding(6) var<storage, read_write> steps: array<u32>;
@group(0) @binding(7) var<storage, read> behind: array<vec4f>;

const FOURS: u32 = SIZE / 4u;

var<workgroup> sums: array<f32, LANES>;
// What the steps of the panel so far multiply: one number for each row of `factors`.
var<workgroup> weights: array<f32, 2u * PANEL>;
var<workgroup> first_entry: f32;

fn total(lane: u32, own: f32) -> f32 {
  workgroupBarrier();
  sums[lane] = own;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < LANES; i += 1u) {
    sum += sums[i];
  }
  return sum;
}

// 0 for the entries of four that lie before `first`.
fn from_entry(first: u32, four: u32, value: vec4f) -> vec4f {
  return select(vec4f(), value, vec4u(four * 4u) + vec4u(0u, 1u, 2u, 3u) >= vec4u(first));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let z = group.x;
  let matrix = z * SIZE * FOURS;
  let factor = z * 2u * PANEL * FOURS;
  let column = z * SIZE * 2u * PANEL;
  let step = steps[z];
//#if FINISH
  {
    let done = step - 1u;
    let i = done % PANEL;
    let v = matrix + done * FOURS;
    let product = z * (FOURS + PANEL / 2u);
    for (var c = lane; c < PANEL / 2u; c += LANES) {
      let four = products[product + FOURS + c];
//#for k 4
      weights[c * 4u + $ku] = four[$k];
//#next
    }
    workgroupBarrier();
    var dot_own = 0.0;
    for (var r = (done + 1u) / 4u + lane; r < FOURS; r += LANES) {
      var w = products[product + r];
      for (var block = step / ROWS; block < r * 4u / ROWS; block += 1u) {
        w += behind[(z * (SIZE / ROWS) + block) * FOURS + r];
      }
      for (var c = 0u; c < i; c += 1u) {
        w -= factors[factor + (PANEL + c) * FOURS + r] * weights[c] + factors[factor + c * FOURS + r] * weights[PANEL + c];
      }
      w = from_entry(done + 1u, r, w);
      dot_own += dot(w, reflectors[v + r]);
      factors[factor + i * FOURS + r] = w;
    }
    let half = 0.5 * total(lane, dot_own);
    for (var r = (done + 1u) / 4u + lane; r < FOURS; r += LANES) {
      let reflector = reflectors[v + r];
      let w = factors[factor + i * FOURS + r] - half * reflector;
      factors[factor + i * FOURS + r] = -w;
      factors[factor + (PANEL + i) * FOURS + r] = -reflector;
//#for k 4
      columns[column + (r * 4u + $ku) * 2u * PANEL + i] = reflector[$k];
      columns[column + (r * 4u + $ku) * 2u * PANEL + PANEL + i] = w[$k];
//#next
    }
  }
//#end
//#if BEGIN
  storageBarrier();
  workgroupBarrier();
  {
    let i = step % PANEL;
    let v = matrix + step * FOURS;
    for (var c = lane; c < i; c += LANES) {
      weights[c] = columns[column + step * 2u * PANEL + c];
      weights[PANEL + c] = columns[column + step * 2u * PANEL + PANEL + c];
    }
    workgroupBarrier();
    var squares = 0.0;
    for (var r = step / 4u + lane; r < FOURS; r += LANES) {
      var x = a[v + r];
      for (var c = 0u; c < i; c += 1u) {
        x += weights[c] * factors[factor + c * FOURS + r] + weights[PANEL + c] * factors[factor + (PANEL + c) * FOURS + r];
      }
      let behind = from_entry(step + 1u, r, x);
      squares += dot(behind, behind);
      reflectors[v + r] = behind;
      if (r == step / 4u) {
        tridiagonal[z * 2u * SIZE + step] = x[step % 4u];
      }
      if (r == (step + 1u) / 4u) {
        first_entry = x[(step + 1u) % 4u];
      }
    }
    let all = total(lane, squares);
    let last = step + 1u == SIZE;
    let first = select(first_entry, 0.0, last);
    let length = sqrt(all);
    let entry = select(length, -length, first > 0.0);
    // Half the squared length of the reflector, before it is scaled: all of one sign, so nothing cancels.
    let normal = all - first * entry;
    let scale = select(0.0, inverseSqrt(normal), normal > 0.0);
    for (var r = step / 4u + lane; r < FOURS; r += LANES) {
      var x = reflectors[v + r];
      if (r == (step + 1u) / 4u && !last) {
        x[(step + 1u) % 4u] = first - entry;
      }
      reflectors[v + r] = x * scale;
    }
    if (lane == 0u) {
      tridiagonal[z * 2u * SIZE + SIZE + step] = select(entry, 0.0, last);
      steps[z] = step + 1u;
    }
  }
//#end
}
