/**
 * Which entries form a self-contained directory. A publisher checks what it has read, and a subscriber what it
 * receives: nothing is ever written through a link, and no link leads out of the directory.
 */
import { DragonflyError } from '../../core/errors.ts';
import { releaseLimits } from './limits.ts';
import type { Entry } from './manifest.ts';

/** Throws INVALID_ARGUMENT. */
export function requireTree(entries: readonly Entry[]): void {
  if (entries.length > releaseLimits.entries)
    throw bad(
      `the directory has more than ${releaseLimits.entries} entries`,
      'Publish parts of it under their own names.',
    );
  const known = new Map<string, Entry>();
  for (const entry of entries) {
    const { path } = entry;
    requirePath(path);
    if (known.has(path)) throw bad(`"${path}" is there twice`);
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (parent !== '' && known.get(parent)?.kind !== 'directory') throw bad(`"${path}" is in no directory`);
    known.set(path, entry);
  }
  for (const entry of entries) if (entry.kind === 'link') requireInside(entry.path, entry.target, known);
}

function requirePath(path: string): void {
  const names = path.split('/');
  const isName = (name: string): boolean =>
    name !== '' && name !== '.' && name !== '..' && name.length <= releaseLimits.nameLength && !name.includes('\0');
  if (path.length <= releaseLimits.pathLength && names.every(isName)) return;
  throw bad(`"${path.slice(0, 200)}" cannot be a path`);
}

/** Follows the target as the kernel would. A missing entry cannot lead further. */
function requireInside(path: string, target: string, known: ReadonlyMap<string, Entry>): void {
  const leaves = bad(
    `the symbolic link "${path}" leads out of the directory, to "${target.slice(0, 200)}"`,
    'Publish the directory it leads to, or replace the link by the file.',
  );
  if (target === '' || target.includes('\0') || target.length > releaseLimits.pathLength)
    throw bad(`the symbolic link "${path}" leads nowhere`);
  const at = path.split('/').slice(0, -1);
  const ahead = target.split('/').reverse();
  if (target.startsWith('/')) throw leaves;
  for (let links = 0; ahead.length > 0;) {
    const name = ahead.pop();
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (at.pop() === undefined) throw leaves;
      continue;
    }
    at.push(name as string);
    const entry = known.get(at.join('/'));
    if (entry?.kind !== 'link') continue;
    links += 1;
    if (links > releaseLimits.links) throw bad(`the symbolic link "${path}" leads in a circle`);
    if (entry.target.startsWith('/')) throw leaves;
    at.pop();
    ahead.push(...entry.target.split('/').reverse());
  }
}

function bad(message: string, hint?: string): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', message, hint === undefined ? {} : { hint });
}
