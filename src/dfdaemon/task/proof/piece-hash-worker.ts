/**
 * Thread that hashes pieces with BLAKE3: a fifth of the work of SHA-256, yet too much for the loop that moves the
 * bytes. An arriving piece is hashed in the memory where its bytes have landed, a held one from the disk. While there
 * is nothing to do, the thread sleeps outside of its event loop, because waking the loop would take longer than hashing
 * a block.
 */
import assert from 'node:assert/strict';
import { readSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Blake3Hasher } from '@napi-rs/blake-hash';
import type { HashMessage, HashReply, StoredBytes } from './piece-hasher.ts';
import { UpdateRing, type HashUpdate } from './update-ring.ts';

/** Fits in the processor cache between the read and the hash. */
const readBytes = 512 * 1024;
const nothing = new Uint8Array();
/** Delay, because blocks are usually dropped many at a time. */
const collectAfterMs = 100;
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
/** When to run the garbage collector, by the monotonic clock; undefined when nothing was dropped since the last run. */
let collectAtMs: number | undefined;

const port = parentPort;
assert(port, 'runs as a worker thread');
const ring = new UpdateRing(workerData as SharedArrayBuffer);
const read = Buffer.allocUnsafe(readBytes);
const blocks = new Map<number, Buffer>();
const comingIn = new Map<number, Blake3Hasher>();
/**
 * As many hashers as pieces have arrived at the same time. Native memory is only freed by the event loop, which does not run
 * here, so none is dropped.
 */
const spare: Blake3Hasher[] = [];
const messages: HashMessage[] = [];

for (;;) {
  const { wakes, written } = ring;
  receive(); // read after `written`: whatever was sent before one of those updates has arrived
  while (!ring.hasPassed(written)) {
    carryOutDue();
    update(ring.next());
    ring.carriedOut();
  }
  carryOutDue();
  ring.sleep(wakes, collectIn());
}

function receive(): void {
  assert(port);
  for (let got = receiveMessageOnPort(port); got; got = receiveMessageOnPort(port))
    messages.push(got.message as HashMessage);
}

/** Carries out the commands that no longer wait for an update. */
function carryOutDue(): void {
  for (let first = messages[0]; first && ring.hasPassed(first.after); first = messages[0]) {
    messages.shift();
    carryOut(first);
  }
}

function carryOut({ command }: HashMessage): void {
  switch (command.kind) {
    case 'stored':
      return answer(command.id, () => hashStored(command));
    case 'block':
      return void blocks.set(command.block, Buffer.from(command.memory));
    case 'update':
      return update(command);
    case 'digest':
      return answer(command.id, () => end(command.piece));
    case 'drop':
      return drop(command.piece);
    case 'passed':
      return answer(command.id, () => nothing);
    case 'forget':
      return forget(command.block);
  }
}

/**
 * Shared memory is only freed when neither thread references it, and this thread allocates so little that its collector
 * would not run for hours. A collection costs it a millisecond.
 */
function forget(block: number): void {
  blocks.delete(block);
  collectAtMs ??= performance.now() + collectAfterMs;
}

/** Collects when due; returns how long the thread may sleep. */
function collectIn(): number {
  const leftMs = (collectAtMs ?? Infinity) - performance.now();
  if (leftMs > 0) return leftMs;
  collectGarbage();
  collectAtMs = undefined;
  return Infinity;
}

function answer(id: number, work: () => Uint8Array): void {
  let reply: HashReply;
  try {
    reply = { id, digest: work() };
  } catch (error) {
    reply = { id, failure: (error as Error).message };
  }
  port?.postMessage(reply);
}

function update({ piece, block, from, length }: HashUpdate): void {
  const hasher = comingIn.get(piece) ?? newHasher();
  comingIn.set(piece, hasher);
  const memory = blocks.get(block);
  if (memory) hasher.update(memory.subarray(from, from + length));
}

function end(piece: number): Uint8Array {
  const hasher = comingIn.get(piece);
  if (!hasher) throw new Error('the thread that has hashed its beginning has ended');
  drop(piece);
  return digestOf(hasher);
}

function drop(piece: number): void {
  const hasher = comingIn.get(piece);
  comingIn.delete(piece);
  if (hasher) spare.push(hasher);
}

function hashStored({ fd, offset, length }: StoredBytes): Uint8Array {
  const hasher = newHasher();
  try {
    for (let done = 0; done < length;) {
      const count = readSync(fd, read, 0, Math.min(readBytes, length - done), offset + done);
      if (count === 0) throw new Error(`the file ends at byte ${offset + done}`);
      hasher.update(read.subarray(0, count));
      done += count;
    }
    return digestOf(hasher);
  } finally {
    spare.push(hasher);
  }
}

function newHasher(): Blake3Hasher {
  const hasher = spare.pop() ?? new Blake3Hasher();
  hasher.reset();
  return hasher;
}

/** Via text, because a buffer of the library is a native object, too. */
function digestOf(hasher: Blake3Hasher): Uint8Array {
  return new Uint8Array(Buffer.from(hasher.digest('hex'), 'hex'));
}
