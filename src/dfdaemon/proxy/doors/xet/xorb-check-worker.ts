/** Thread that reads chunks back from the disk and hashes them: decompressing them would block the loop that moves the bytes. */
import assert from 'node:assert/strict';
import { readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { FileSpan } from '../../../task/open-task.ts';
import { ChunkReader } from './chunk-run.ts';
import type { CheckCommand, CheckReply } from './xorb-checker.ts';

const blockBytes = 2 ** 20;
const block = Buffer.allocUnsafe(blockBytes);
const readers = new Map<number, ChunkReader>();

const port = parentPort;
assert(port, 'runs as a worker thread');

port.on('message', (command: CheckCommand) => {
  port.postMessage(replyTo(command));
});

function replyTo(command: CheckCommand): CheckReply {
  const { run: id, kind } = command;
  const reader = readers.get(id) ?? new ChunkReader();
  if (kind !== 'read') readers.delete(id);
  try {
    if (kind === 'end') return { run: id, result: reader.end() };
    if (command.kind === 'read') read(reader, command.span);
  } catch (error) {
    readers.delete(id);
    return { run: id, failure: (error as Error).message, isContent: error instanceof RangeError };
  }
  if (kind === 'read') readers.set(id, reader);
  return { run: id };
}

function read(reader: ChunkReader, { fd, offset, length }: FileSpan): void {
  for (let done = 0; done < length;) {
    const count = readSync(fd, block, 0, Math.min(blockBytes, length - done), offset + done);
    if (count === 0) throw new Error(`the file ends at byte ${offset + done}`);
    reader.push(block.subarray(0, count));
    done += count;
  }
}
