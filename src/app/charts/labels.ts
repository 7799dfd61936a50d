/** @file Labels at the ends of lines, pushed apart so that none covers another. */

export interface PlacedLabel {
  /** Where the line ends. */
  readonly anchor: number;
  /** Where its label stands. */
  readonly at: number;
  readonly index: number;
}

/**
 * Moves labels at `anchors` (pixels) at least `gap` apart within [top, bottom], each as little as its neighbours allow.
 * Overlapping labels become one block centred on the mean of their anchors, as in isotonic regression.
 */
export function pushApart(anchors: readonly number[], gap: number, top: number, bottom: number): readonly PlacedLabel[] {
  const order = anchors.map((anchor, index) => ({ anchor, index })).sort((a, b) => a.anchor - b.anchor || a.index - b.index);
  interface Block {
    centre: number;
    members: typeof order;
  }
  const clampCentre = (centre: number, count: number): number => {
    const half = ((count - 1) * gap) / 2;
    return Math.max(top + half, Math.min(bottom - half, centre));
  };
  const blocks: Block[] = [];
  for (const label of order) {
    let block: Block = { centre: clampCentre(label.anchor, 1), members: [label] };
    for (let above = blocks.at(-1); above; above = blocks.at(-1)) {
      const needed = ((above.members.length + block.members.length) * gap) / 2;
      if (block.centre - above.centre >= needed - 1e-9) break;
      blocks.pop();
      const members = [...above.members, ...block.members];
      const mean = members.reduce((sum, member) => sum + member.anchor, 0) / members.length;
      block = { centre: clampCentre(mean, members.length), members };
    }
    blocks.push(block);
  }
  return blocks.flatMap(({ centre, members }) =>
    members.map(({ anchor, index }, place) => ({ anchor, index, at: centre + (place - (members.length - 1) / 2) * gap })),
  );
}
