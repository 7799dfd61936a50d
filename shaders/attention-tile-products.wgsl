// What kernels of attention in tiles share: the staged tiles and the products over them.
//
// A workgroup of 128 owns a tile of 64 rows (queries, or keys) and walks tiles of 32 positions of the other kind. The
// 64 x 32 scores live in registers: invocation (down, across) of 16 x 8 holds rows down + 16 i and columns
// 4 across + n, i and n in 0..3. Products over the head dimension pass through workgroup memory in chunks of 32
// numbers, so its size does not depend on the head dimension; dimensions past the head's end are zeros.
//
// Column 4 a + n of the walked tile is kept in slot 8 n + a: the eight invocations side by side then read eight
// neighbouring slots, and a pitch of 9 vectors puts these in different banks.
//
// Variables in loops are given their zeros explicitly: on Vulkan, Tint zeroes a declaration without a value only once.
const PITCH: u32 = 9u;

var<workgroup> owned: array<vec4f, 576>;
var<workgroup> walked: array<vec4f, 288>;

fn walked_slot(position: u32) -> u32 {
  return (position % 4u * 8u + position / 4u) * PITCH;
}

// Adds to the scores the products of the staged chunks: sums[i][n] += owned row i . walked column n.
fn add_products(down: u32, across: u32, sums: ptr<function, array<vec4f, 4>>) {
//#for i 4
  var sum$i = (*sums)[$i];
//#next
  for (var v = 0u; v < 8u; v += 1u) {
//#for n 4
    let b$n = walked[($nu * 8u + across) * PITCH + v];
//#next
//#for i 4
    let a$i = owned[(down + 16u * $iu) * PITCH + v];
    sum$i += vec4f(dot(a$i, b0), dot(a$i, b1), dot(a$i, b2), dot(a$i, b3));
//#next
  }
//#for i 4
  (*sums)[$i] = sum$i;
//#next
}

// Puts a 64 x 32 tile of weights where the owned rows were: four neighbouring columns a vector.
fn own_weights(down: u32, across: u32, weights: ptr<function, array<vec4f, 4>>) {
//#for i 4
  owned[(down + 16u * $iu) * PITCH + across] = (*weights)[$i];
//#next
}

// Adds to four rows of results, at vector `across` of the staged chunk, the walked rows weighted by own_weights.
fn add_weighted(down: u32, across: u32, sums: ptr<function, array<vec4f, 4>>) {
//#for i 4
  var sum$i = (*sums)[$i];
//#next
  for (var quad = 0u; quad < 8u; quad += 1u) {
//#for n 4
    let b$n = walked[($nu * 8u + quad) * PITCH + across];
//#next
//#for i 4
    let w$i = owned[(down + 16u * $iu) * PITCH + quad];
    sum$i += w$i.x * b0 + w$i.y * b1 + w$i.z * b2 + w$i.w * b3;
//#next
  }
//#for i 4
  (*sums)[$i] = sum$i;
//#next
}
