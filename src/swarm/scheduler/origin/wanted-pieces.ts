/** Which pieces of a task its peers want, and in which runs they are asked for. Pure. */
import { PieceSet } from '../../shared/piece-set.ts';
import type { Task } from '../records.ts';
import { isDownloading } from '../states.ts';

export function anyDownloading(task: Task): boolean {
  for (const peer of task.peers.values()) if (isDownloading(peer.state)) return true;
  return false;
}

export function wantedPieces(task: Task): PieceSet {
  const wanted = new PieceSet(task.pieceCount);
  for (const peer of task.peers.values()) {
    if (!isDownloading(peer.state)) continue;
    if (!peer.wanted) return PieceSet.range(0, task.pieceCount ?? 0);
    wanted.addAll(peer.wanted);
  }
  return wanted;
}

export function longestRun(pieces: PieceSet, pieceCount: number): { first: number; end: number } | undefined {
  let best: { first: number; end: number } | undefined;
  for (let first = 0; first < pieceCount; first += 1) {
    let end = first;
    while (end < pieceCount && pieces.has(end)) end += 1;
    if (end - first > (best ? best.end - best.first : 0)) best = { first, end };
    first = end;
  }
  return best;
}
