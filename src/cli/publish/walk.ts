/** Lists a directory. It is listed twice, so that changes during publishing are noticed. */
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { BigIntStats } from 'node:fs';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { releaseLimits } from '../../swarm/releases/limits.ts';
import { requireTree } from '../../swarm/releases/tree.ts';

export type WalkedEntry = { readonly path: string; /** Changes with every write. */ readonly stamp: string } & (
  | { readonly kind: 'file'; readonly mode: number; readonly lengthBytes: number }
  | { readonly kind: 'directory'; readonly mode: number }
  | { readonly kind: 'link'; readonly target: string }
);

export interface WalkedDirectory {
  readonly mode: number;
  /** Sorted by name; a directory comes before its entries. */
  readonly entries: readonly WalkedEntry[];
  readonly contentLengthBytes: number;
}

/** Set-uid, set-gid and the sticky bit are excluded, because others should not get them from a publisher. */
const permissionBits = 0o777n;

/**
 * Throws INVALID_ARGUMENT for entries that cannot be published: devices, links that lead outside, names that are not valid text,
 * or anything beyond the limits.
 */
export async function walk(root: string): Promise<WalkedDirectory> {
  const entries: WalkedEntry[] = [];
  let stats: BigIntStats;
  try {
    stats = await lstat(root, { bigint: true });
    if (!stats.isDirectory())
      throw new DragonflyError('INVALID_ARGUMENT', `${root} is no directory`, {
        hint: 'Publish the directory it is in.',
      });
    await walkInto(root, '', entries);
  } catch (error) {
    const known = toDragonflyError(error);
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new DragonflyError('INVALID_ARGUMENT', `there is no directory ${root}, or it changes while it is read`, {
        cause: error,
      });
    throw known;
  }
  requireTree(entries.map((entry) => (entry.kind === 'file' ? { ...entry, sha256: '', runs: [] } : entry)));
  const contentLengthBytes = entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.lengthBytes : 0), 0);
  return { mode: Number(stats.mode & permissionBits), entries, contentLengthBytes };
}

async function walkInto(root: string, directory: string, entries: WalkedEntry[]): Promise<void> {
  const names = await readdir(join(root, directory));
  for (const name of names.sort()) {
    const path = directory === '' ? name : `${directory}/${name}`;
    if (name.includes('\uFFFD'))
      throw new DragonflyError('INVALID_ARGUMENT', `the name "${path}" is no text in UTF-8`, { hint: 'Rename it.' });
    if (entries.length >= releaseLimits.entries)
      throw new DragonflyError('INVALID_ARGUMENT', `the directory has more than ${releaseLimits.entries} entries`, {
        hint: 'Publish parts of it under their own names.',
      });
    const entry = await look(root, path);
    entries.push(entry);
    if (entry.kind === 'directory') await walkInto(root, path, entries);
  }
}

async function look(root: string, path: string): Promise<WalkedEntry> {
  const place = join(root, path);
  const stats = await lstat(place, { bigint: true });
  const stamp = stampOf(stats);
  const mode = Number(stats.mode & permissionBits);
  if (stats.isFile()) return { kind: 'file', path, stamp, mode, lengthBytes: Number(stats.size) };
  if (stats.isDirectory()) return { kind: 'directory', path, stamp, mode };
  if (stats.isSymbolicLink()) return { kind: 'link', path, stamp, target: await readlink(place) };
  throw new DragonflyError('INVALID_ARGUMENT', `"${path}" is a device, a socket or a FIFO`, {
    hint: 'Only files, directories and symbolic links are published.',
  });
}

export function stampOf({ ino, size, mode, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino}:${size}:${mode}:${mtimeNs}:${ctimeNs}`;
}

/** Throws SOURCE_CHANGED. */
export function requireUnchanged(before: WalkedDirectory, after: WalkedDirectory): void {
  const stamps = new Map(after.entries.map(({ path, stamp }) => [path, stamp]));
  for (const { path, stamp } of before.entries) if (stamps.get(path) !== stamp) throw changed(path);
  const known = new Set(before.entries.map(({ path }) => path));
  for (const { path } of after.entries) if (!known.has(path)) throw changed(path);
}

export function changed(path: string): DragonflyError {
  return new DragonflyError('SOURCE_CHANGED', `"${path}" was changed while the directory was published`, {
    hint: 'Publish it when nobody writes into it.',
  });
}
