/** Kills a writing process at random instants and checks that nothing it had acknowledged is lost or wrong. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { crashContent } from './crash-content.ts';
import { taskIdOf } from './fixtures.ts';

/** Pieces that must be there, by task name; a task that was being removed or restarted owes nothing. */
export type Acknowledged = Map<string, Set<number>>;

/** A life ends after at most this many lines of the writer, and this many milliseconds more. */
const maxLines = 60;
const maxExtraMs = 20;

export interface CrashReport {
  readonly acknowledgedPieces: number;
  readonly storedPieces: number;
}

/**
 * One life of the writer, then one start that checks everything. The kill comes at a moment that follows from `seed`:
 * some acknowledgements after the start, so that a slow machine gets as far as a fast one, and some milliseconds more,
 * so that it hits any step of a write.
 */
export async function crashOnce(directory: string, seed: number, acknowledged: Acknowledged): Promise<CrashReport> {
  await writeUntilKilled(directory, seed, acknowledged);
  await using store = await TaskStore.open({ directory });
  await store.recovered();
  const stored = checkContents(store);
  let owed = 0;
  for (const [name, numbers] of acknowledged) {
    const task = store.get(taskIdOf(name));
    for (const number of numbers)
      assert(task?.pieces.has(number), `acknowledged piece ${number} of ${name} is lost (seed ${seed})`);
    owed += numbers.size;
  }
  return { acknowledgedPieces: owed, storedPieces: stored };
}

async function writeUntilKilled(directory: string, seed: number, acknowledged: Acknowledged): Promise<void> {
  const chance = createHash('sha256').update(`kill ${seed}`).digest();
  const linesToLive = chance.readUInt8(0) % maxLines;
  const extraMs = chance.readUInt8(1) % maxExtraMs;
  const writer = spawn(process.execPath, [join(import.meta.dirname, 'crash-writer.ts'), directory, String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(writer, 'close');
  const due = Promise.withResolvers<void>();
  let lines = 0;
  createInterface(writer.stdout).on('line', (line) => {
    if (line !== 'open') note(line, acknowledged);
    if (lines === linesToLive) due.resolve();
    lines += 1;
  });
  await Promise.race([due.promise, closed]);
  await delay(extraMs);
  writer.kill('SIGKILL');
  const [code, signal] = (await closed) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `the writer ended by itself with ${code} (seed ${seed})`);
}

function note(line: string, acknowledged: Acknowledged): void {
  const [event = '', task = '', number = ''] = line.split(' ');
  const name = task.replace('task-', 'task ');
  if (event === 'piece') {
    const numbers = acknowledged.get(name) ?? new Set();
    acknowledged.set(name, numbers.add(Number(number)));
  } else if (event === 'removing' || event === 'restarting') acknowledged.delete(name);
}

/** Every piece the store says it has must be byte for byte right. Returns their number. */
function checkContents(store: TaskStore): number {
  let pieces = 0;
  let bytes = 0;
  for (const task of store.list()) {
    const name = decodeURI(task.identity.url.replace('http://origin/', ''));
    const content = crashContent(name);
    for (const number of task.pieces) {
      using piece = task.openPiece(number);
      const found = Buffer.alloc(piece.length);
      readSync(piece.fd, found, 0, piece.length, piece.offset);
      assert(
        found.equals(content.subarray(piece.offset, piece.offset + piece.length)),
        `piece ${number} of ${name} is wrong`,
      );
      pieces += 1;
      bytes += piece.length;
    }
    if (task.state === 'finished') assert(task.complete, `${name} is finished but has pieces missing`);
  }
  assert.equal(store.usedBytes, bytes);
  return pieces;
}
