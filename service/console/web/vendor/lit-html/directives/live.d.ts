/** Compare with what the element has now, and not with what was drawn last. */
export function live(value: unknown): unknown;
