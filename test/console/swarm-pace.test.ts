/** What the page of a task says of a swarm, and when it has to say it anew without a frame from the manager. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

interface Pace {
  readonly piecesPerSec: number;
  readonly waiting: readonly { readonly forMs: number }[];
  readonly changesInMs: number;
}
interface SwarmPace {
  note(peer: object, atMs: number): void;
  at(peers: readonly object[], pieceCount: number, nowMs: number): Pace;
}
const { SwarmPace } = (await import(
  new URL('../../console/src/swarm-view/swarm-pace.ts', import.meta.url).href
)) as unknown as { SwarmPace: new () => SwarmPace };

const peer = { id: 'a', state: 'Running', started_at_ms: 0, finished_pieces: 3 };

test('a page looks again when a peer begins to wait, and then as often as the shown time changes', () => {
  const pace = new SwarmPace();
  pace.note({ ...peer, finished_pieces: 1 }, 1_000);
  pace.note(peer, 2_000);
  const running = pace.at([peer], 10, 2_500);
  assert.deepEqual([running.waiting.length, running.changesInMs], [0, 4_500]);
  const waits = pace.at([peer], 10, 2_500 + running.changesInMs);
  assert.deepEqual([waits.waiting.length, waits.waiting[0]?.forMs, waits.changesInMs], [1, 5_000, 1_000]);
  assert.equal(pace.at([peer], 10, 2_000 + 90_000).changesInMs, 30_000);
});

test('a rate ends when nothing has come for its window; a swarm in which nothing happens is not looked at', () => {
  const pace = new SwarmPace();
  const done = { ...peer, state: 'Succeeded', finished_pieces: 10 };
  pace.note({ ...peer, finished_pieces: 1 }, 1_000);
  pace.note(done, 2_000);
  const ending = pace.at([done], 10, 4_000);
  assert.ok(ending.piecesPerSec > 0);
  const ended = pace.at([done], 10, 4_000 + ending.changesInMs);
  assert.deepEqual([ended.piecesPerSec, ended.changesInMs], [0, Infinity]);
});
