/** Draw each item of a list; an item with the same key keeps its elements. */
export function repeat<T>(items: Iterable<T>, key: (item: T, index: number) => unknown, draw: (item: T, index: number) => unknown): unknown;
