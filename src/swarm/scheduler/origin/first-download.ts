/**
 * Who fetches a task that nobody holds yet, by the priority of the request. 0, 4, 5, 6: a seed, or the peer itself when
 * no seed can. 3: the peer itself. 2: nobody, not found. 1: nobody, forbidden.
 */
export type FirstDownload = 'seed' | 'self' | 'not-found' | 'forbidden';

export function firstDownload(priority: number): FirstDownload {
  if (priority === 1) return 'forbidden';
  if (priority === 2) return 'not-found';
  return priority === 3 ? 'self' : 'seed';
}
