/** Removes the file of a unix socket that has outlived its process, and nothing else. */
import { lstat, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { DragonflyError } from '../errors.ts';

const probeTimeoutMs = 2000;
/** What the kernel reports for a socket on which no process listens. */
const dead: readonly unknown[] = ['ECONNREFUSED', 'ENOENT'];

/** Throws IN_USE when the file is of another kind, something answers, or that cannot be determined. */
export async function removeStaleSocket(path: string): Promise<void> {
  const left = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw inUse(path, `cannot look at ${path}: ${error.message}`);
  });
  if (!left) return;
  if (!left.isSocket()) throw inUse(path, `${path} is there, and is no socket`);
  const outcome = await probe(path);
  if (!dead.includes(outcome)) throw inUse(path, `another process serves the socket ${path}`);
  await rm(path, { force: true });
}

/** @returns why the connection failed; undefined when it succeeded or timed out. */
function probe(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.setTimeout(probeTimeoutMs, () => socket.destroy());
    socket.once('connect', () => socket.destroy());
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once('close', () => resolve(undefined));
  });
}

function inUse(path: string, message: string): DragonflyError {
  return new DragonflyError('IN_USE', message, { hint: `Stop what uses ${path}, or configure another socket path.` });
}
