/** Thread that hashes pieces on the disk: BLAKE3, a fifth of the work of SHA-256, yet too much for the loop that moves the bytes. */
import assert from 'node:assert/strict';
import { readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { Blake3Hasher } from '@napi-rs/blake-hash';
import type { HashCommand, HashReply } from './piece-hasher.ts';

/** Stays in the cache of the processor between the read and the hash. */
const blockBytes = 512 * 1024;

const port = parentPort;
assert(port, 'runs as a worker thread');
const block = Buffer.allocUnsafe(blockBytes);

port.on('message', ({ id, fd, offset, length }: HashCommand) => {
  let reply: HashReply;
  try {
    reply = { id, digest: hash(fd, offset, length) };
  } catch (error) {
    reply = { id, failure: (error as Error).message };
  }
  port.postMessage(reply);
});

function hash(fd: number, offset: number, length: number): Uint8Array {
  const hasher = new Blake3Hasher();
  for (let done = 0; done < length;) {
    const read = readSync(fd, block, 0, Math.min(blockBytes, length - done), offset + done);
    if (read === 0) throw new Error(`the file ends at byte ${offset + done}`);
    hasher.update(block.subarray(0, read));
    done += read;
  }
  return new Uint8Array(hasher.digestBuffer());
}
