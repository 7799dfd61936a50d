// A 4 x 4 block of the factor for the kernels that read it: column i is factor[row + i, q .. q + 3], zero past its end.
fn from_factor(piece: u32, row: u32, q: u32) -> mat4x4f {
//#if VECTOR
  if (row >= ROWS[piece] || q >= RANK) {
    return mat4x4f();
  }
  let at = factor_at(piece, row, q) / 4u;
//#if RANK_MAJOR
  let step = ROWS[piece] / 4u;
  return transpose(mat4x4f(factor[at], factor[at + step], factor[at + 2u * step], factor[at + 3u * step]));
//#else
  let step = RANK / 4u;
  return mat4x4f(factor[at], factor[at + step], factor[at + 2u * step], factor[at + 3u * step]);
//#end
//#else
  var block = mat4x4f();
  for (var i = 0u; i < 4u; i += 1u) {
    for (var j = 0u; j < 4u; j += 1u) {
      if (row + i < ROWS[piece] && q + j < RANK) {
        block[i][j] = factor[factor_at(piece, row + i, q + j)];
      }
    }
  }
  return block;
//#end
}
