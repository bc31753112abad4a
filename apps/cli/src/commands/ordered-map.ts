/** Maps with at most `width` calls in flight, and yields each item with its result in the items' order. */
export async function* orderedMap<Item, Result>(
  items: readonly Item[],
  width: number,
  map: (item: Item) => Promise<Result>,
): AsyncGenerator<readonly [Item, Result]> {
  const flying: Promise<Result>[] = [];
  const start = (item: Item | undefined): void => {
    if (item === undefined) return;
    const promise = map(item);
    // Rejections surface when their turn comes; until then they are not unhandled.
    promise.catch(() => undefined);
    flying.push(promise);
  };
  items.slice(0, width).forEach(start);
  for (const [index, item] of items.entries()) {
    const next = flying.shift();
    if (next === undefined) return;
    const result = await next;
    start(items[index + width]);
    yield [item, result];
  }
}
