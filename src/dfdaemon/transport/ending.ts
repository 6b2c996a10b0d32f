/** A transfer counts as over, for whoever may begin the next, when what is left of it will have passed in this time. */
const leadMs = 10;

/** @param doneBytes passed in the `elapsedMs` since it began. */
export function isEnding(doneBytes: number, leftBytes: number, elapsedMs: number): boolean {
  return leftBytes * elapsedMs <= leadMs * doneBytes;
}
