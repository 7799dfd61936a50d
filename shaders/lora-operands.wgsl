// How the LoRA kernels see their three matrices: `wide` [TOKENS, WIDTH] (a layer's input or output), `narrow`
// [TOKENS, PIECES * RANK], and the small factor between them. Piece p joins ROWS[p] columns of `wide`, from COLUMN[p]
// on, to columns p * RANK ... of `narrow`. Its rows of the factor are FIRST[p] ...; RANK_MAJOR: the factor of the one
// piece is stored [RANK, ROWS] (A of PEFT) instead of [rows, RANK] (B).
//
// Baked: TOKENS, WIDTH, RANK, NARROW (PIECES * RANK), SCALE, COLUMN, ROWS, FIRST. The bindings are
// declared by each kernel. Flag: VECTOR (all sizes are whole fours).

fn from_wide(token: u32, piece: u32, row: u32) -> vec4f {
  let at = min(token, TOKENS - 1u) * WIDTH + COLUMN[piece] + row;
//#if VECTOR
  return select(vec4f(), wide[at / 4u], row < ROWS[piece]);
//#else
  let four = vec4f(wide[at], wide[at + 1u], wide[at + 2u], wide[at + 3u]);
  return select(vec4f(), four, vec4u(row, row + 1u, row + 2u, row + 3u) < vec4u(ROWS[piece]));
//#end
}

fn from_narrow(token: u32, piece: u32, q: u32) -> vec4f {
  let at = min(token, TOKENS - 1u) * NARROW + piece * RANK + q;
//#if VECTOR
  return select(vec4f(), narrow[at / 4u], q < RANK);
//#else
  let four = vec4f(narrow[at], narrow[at + 1u], narrow[at + 2u], narrow[at + 3u]);
  return select(vec4f(), four, vec4u(q, q + 1u, q + 2u, q + 3u) < vec4u(RANK));
//#end
}

// Element of the factor at (row, q) of a piece.
fn factor_at(piece: u32, row: u32, q: u32) -> u32 {
//#if RANK_MAJOR
  return q * ROWS[piece] + row;
//#else
  return (FIRST[piece] + row) * RANK + q;
//#end
}
