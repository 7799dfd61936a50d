/**
 * @file Writes out the loops of a shader text whose bodies must become straight code.
 *
 * Register blocks are named variables, not arrays: software adapters keep arrays in memory and drivers differ in what
 * they unroll. A block
 *
 *     //#for i ROWS
 *     sum$i += a$i.x * b0;
 *     //#next
 *
 * is repeated with `$i` replaced by 0, 1, ... Names are single letters; blocks nest; the count is a name given in
 * `counts` or a literal.
 */

/** Replaces every `//#for NAME COUNT ... //#next` block of `source` by its repetitions. */
export function unroll(source: string, counts: Readonly<Record<string, number>>): string {
  const lines = source.split('\n');
  const expand = (start: number, end: number): string[] => {
    const out: string[] = [];
    for (let at = start; at < end; at += 1) {
      const head = /^\s*\/\/#for (\w+) (\w+)/.exec(lines[at]!);
      if (!head) {
        out.push(lines[at]!);
        continue;
      }
      const [, name, count] = head as unknown as [string, string, string];
      const times = /^\d+$/.test(count) ? Number(count) : counts[count];
      if (times === undefined) throw new Error(`The shader repeats over ${count}, which was not given.`);
      const close = matchingNext(lines, at);
      const body = expand(at + 1, close).join('\n');
      for (let index = 0; index < times; index += 1) out.push(body.replaceAll(`$${name}`, String(index)));
      at = close;
    }
    return out;
  };
  return expand(0, lines.length).join('\n');
}

function matchingNext(lines: readonly string[], start: number): number {
  let depth = 0;
  for (let at = start; at < lines.length; at += 1) {
    if (/^\s*\/\/#for /.test(lines[at]!)) depth += 1;
    else if (/^\s*\/\/#next/.test(lines[at]!)) depth -= 1;
    if (depth === 0) return at;
  }
  throw new Error(`Line ${start + 1} of the shader begins a //#for without its //#next.`);
}
