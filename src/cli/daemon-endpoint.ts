/**
 * Which dfdaemon the tools of this node talk to: the one that was named, else the node's own, else that of the cluster
 * `dragonfly up` runs for this user.
 *
 * `up` leaves a note where only this user can write, so that nobody else's daemon can pose as ours.
 */
import { lstatSync, readFileSync, statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DragonflyError } from '../core/errors.ts';
import { writeWholeFile } from '../core/files/whole-file.ts';

export const defaultSocketPath = '/var/run/dragonfly/dfdaemon.sock';

type Environment = Readonly<Record<string, string | undefined>>;

export interface DaemonEndpoint {
  /** For Channels. */
  readonly address: string;
  readonly path: string;
  /** The user that the daemon runs as: the owner of its socket. */
  readonly ownerUid: number;
}

/** @param named value of the tool's flag; DFGET_ENDPOINT is used without it. Throws DAEMON_UNREACHABLE when there is no socket. */
export function findDaemon(named: string | undefined, env: Environment): DaemonEndpoint {
  const explicit = named ?? env['DFGET_ENDPOINT'];
  const candidates = explicit ? [explicit] : [defaultSocketPath, ...localClusterSockets(env)];
  for (const candidate of candidates) {
    const path = resolve(candidate.replace(/^unix:(\/\/)?/, ''));
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isSocket()) return { address: `unix:${path}`, path, ownerUid: stat.uid };
  }
  throw new DragonflyError('DAEMON_UNREACHABLE', `no dfdaemon runs here: ${candidates[0]} is no socket`, {
    hint: 'Start the dfdaemon, or "dragonfly up" for a cluster on this machine, or name its socket with --endpoint.',
  });
}

/** Throws DAEMON_UNREACHABLE when the daemon does not answer. */
export async function requireDaemon(
  channels: { ready(address: string, options: { signal: AbortSignal }): Promise<unknown> },
  { address, path }: DaemonEndpoint,
  signal: AbortSignal,
): Promise<void> {
  try {
    await channels.ready(address, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new DragonflyError('DAEMON_UNREACHABLE', `the dfdaemon at ${path} does not answer`, {
      cause: error,
      hint: 'Check that the dfdaemon runs, and that this user may open its socket.',
    });
  }
}

interface LocalClusterNote {
  readonly socket: string;
}

/** Tells this user's tools where the local cluster's daemon listens, until it is disposed of. */
export async function announceLocalCluster(socket: string, env: Environment): Promise<AsyncDisposable> {
  const directory = noteDirectory(env);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (!isOwn(directory)) {
    throw new DragonflyError('PERMISSION_DENIED', `${directory} may be written by others and is not trusted`, {
      hint: 'Remove it; it is made again with the right owner and mode.',
    });
  }
  const path = join(directory, 'local-cluster.json');
  const note: LocalClusterNote = { socket };
  await writeWholeFile(path, JSON.stringify(note), { mode: 0o600 });
  return {
    [Symbol.asyncDispose]: async () => {
      if (readNote(path)?.socket === socket) await rm(path, { force: true }); // a later cluster may have replaced the file
    },
  };
}

function localClusterSockets(env: Environment): string[] {
  const directory = noteDirectory(env);
  const note = isOwn(directory) ? readNote(join(directory, 'local-cluster.json')) : undefined;
  return note ? [note.socket] : [];
}

function readNote(path: string): LocalClusterNote | undefined {
  try {
    const note = JSON.parse(readFileSync(path, 'utf8')) as Partial<LocalClusterNote> | null;
    return typeof note?.socket === 'string' ? { socket: note.socket } : undefined;
  } catch {
    return undefined; // no cluster is running
  }
}

function noteDirectory(env: Environment): string {
  return join(env['XDG_RUNTIME_DIR'] || '/tmp', `dragonfly-${process.geteuid?.() ?? 0}`);
}

function isOwn(directory: string): boolean {
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  return stat !== undefined && stat.isDirectory() && stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0;
}
