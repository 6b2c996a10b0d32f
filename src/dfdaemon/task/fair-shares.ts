/**
 * Divides a total by need (max-min fairness): nobody gets more than it needs while others lack, and the remainder is
 * shared by all, so that everyone can grow until the next division.
 *
 * @param needs tokens per second that each wants; Infinity for "as much as there is". @returns shares in the same
 * order; their sum is the total.
 */
export function fairShares(total: number, needs: readonly number[]): number[] {
  const shares = needs.map(() => 0);
  const modestFirst = needs.map((_, index) => index).sort((a, b) => (needs[a] ?? 0) - (needs[b] ?? 0));
  let left = total;
  for (const [position, index] of modestFirst.entries()) {
    const share = Math.min(needs[index] ?? 0, left / (needs.length - position));
    shares[index] = share;
    left -= share;
  }
  return shares.map((share) => share + left / needs.length);
}
