/** @file Labels at the ends of lines, pushed apart so that none covers another; where there are too many, those that stand closest go. */

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

export interface FittedLabels {
  readonly placed: readonly PlacedLabel[];
  /** How many have no room. */
  readonly more: number;
}

/**
 * `pushApart` for as many labels as there is room for. Of the others a line at the bottom tells the number, which takes a place as well.
 * @param mustStay whether the label of an index is left out last
 */
export function fitLabels(anchors: readonly number[], gap: number, top: number, bottom: number, mustStay: (index: number) => boolean): FittedLabels {
  const room = Math.max(1, Math.floor((bottom - top) / gap + 1e-9) + 1);
  if (anchors.length <= room) return { placed: pushApart(anchors, gap, top, bottom), more: 0 };
  const left = anchors.map((anchor, index) => ({ anchor, index })).sort((a, b) => a.anchor - b.anchor || a.index - b.index);
  while (left.length > Math.max(1, room - 1)) {
    const crowding = left.map(({ anchor, index }, i) => Math.min(anchor - (left[i - 1]?.anchor ?? -Infinity), (left[i + 1]?.anchor ?? Infinity) - anchor) + (mustStay(index) ? bottom - top : 0));
    left.splice(crowding.indexOf(Math.min(...crowding)), 1);
  }
  const placed = pushApart(left.map(({ anchor }) => anchor), gap, top, bottom - gap);
  return { placed: placed.map((label) => ({ ...label, index: left[label.index]!.index })), more: anchors.length - left.length };
}
