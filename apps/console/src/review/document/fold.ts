/** A row of what is shown: a part, or a stretch of parts that stayed the same. */
export type FoldedRow =
  | { readonly kind: "part"; readonly index: number }
  | { readonly kind: "fold"; readonly from: number; readonly to: number };

const around = 2;

/** Changed parts with their surroundings; longer stretches of what stayed the same become one row. */
export function foldSame(
  changed: readonly boolean[],
  opened: ReadonlySet<number>,
  options: { readonly whole?: boolean } = {},
): FoldedRow[] {
  const near = changed.map(() => options.whole === true);
  for (const [index, is] of changed.entries()) {
    if (!is) continue;
    for (let i = Math.max(0, index - around); i <= Math.min(changed.length - 1, index + around); i++) near[i] = true;
  }
  const rows: FoldedRow[] = [];
  for (let index = 0; index < changed.length; index++) {
    if (near[index] === true) {
      rows.push({ kind: "part", index });
      continue;
    }
    let to = index;
    while (to + 1 < changed.length && near[to + 1] !== true) to++;
    // Folding one part away would take as much room as the part.
    if (to === index || opened.has(index)) for (let i = index; i <= to; i++) rows.push({ kind: "part", index: i });
    else rows.push({ kind: "fold", from: index, to });
    index = to;
  }
  return rows;
}
