/**
 * Thread that hashes files in order while they are being written. SHA-256 costs about a second per GiB, too much for the
 * loop that moves the bytes. One thread serves all downloads; each gets a slice in turn.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import assert from 'node:assert/strict';
import { DigestStream, type DigestAlgorithm } from '../../../core/digest.ts';

export type DigestCommand =
  | { readonly kind: 'open'; readonly id: number; readonly path: string; readonly algorithm: DigestAlgorithm }
  /** All bytes below the offset are on disk. */
  | { readonly kind: 'advance'; readonly id: number; readonly offset: number }
  | { readonly kind: 'finish'; readonly id: number; readonly length: number }
  | { readonly kind: 'close'; readonly id: number };

export type DigestReply =
  | { readonly kind: 'digest'; readonly id: number; readonly value: string }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };

const sliceBytes = 4 * 2 ** 20;
const blockBytes = 2 ** 20;

interface Job {
  readonly fd: number;
  readonly stream: DigestStream;
  hashedBytes: number;
  availableBytes: number;
  finalBytes: number | undefined;
}

const port = parentPort;
assert(port, 'runs as a worker thread');
const jobs = new Map<number, Job>();
const block = Buffer.allocUnsafe(blockBytes);
let scheduled = false;

port.on('message', (command: DigestCommand) => {
  try {
    carryOut(command);
  } catch (error) {
    fail(command.id, error);
  }
  schedule();
});

function carryOut(command: DigestCommand): void {
  if (command.kind === 'open') {
    const stream = new DigestStream(command.algorithm);
    jobs.set(command.id, {
      fd: openSync(command.path, 'r'),
      stream,
      hashedBytes: 0,
      availableBytes: 0,
      finalBytes: undefined,
    });
    return;
  }
  const job = jobs.get(command.id);
  if (!job) return;
  if (command.kind === 'close') close(command.id, job);
  else if (command.kind === 'advance') job.availableBytes = Math.max(job.availableBytes, command.offset);
  else job.availableBytes = job.finalBytes = command.length;
}

function schedule(): void {
  if (scheduled || ![...jobs.values()].some(hasWork)) return;
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    for (const [id, job] of jobs) {
      try {
        hashSlice(job);
        if (job.hashedBytes === job.finalBytes) {
          port?.postMessage({ kind: 'digest', id, value: job.stream.finish().value } satisfies DigestReply);
          close(id, job);
        }
      } catch (error) {
        fail(id, error);
      }
    }
    schedule();
  });
}

function hasWork(job: Job): boolean {
  return job.hashedBytes < job.availableBytes || job.hashedBytes === job.finalBytes;
}

function hashSlice(job: Job): void {
  const end = Math.min(job.availableBytes, job.hashedBytes + sliceBytes);
  while (job.hashedBytes < end) {
    const read = readSync(job.fd, block, 0, Math.min(blockBytes, end - job.hashedBytes), job.hashedBytes);
    if (read === 0) throw new Error(`the file ends at byte ${job.hashedBytes}, expected ${job.availableBytes}`);
    job.stream.update(block.subarray(0, read));
    job.hashedBytes += read;
  }
}

function fail(id: number, error: unknown): void {
  port?.postMessage({ kind: 'failed', id, message: (error as Error).message } satisfies DigestReply);
  const job = jobs.get(id);
  if (job) close(id, job);
}

function close(id: number, job: Job): void {
  jobs.delete(id);
  closeSync(job.fd);
}
