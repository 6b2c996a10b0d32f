/**
 * The cache of Hugging Face clients: `models--owner--name/blobs` holds the contents, each named by its ETag;
 * `snapshots/<commit>` holds the files of a commit as links to them; `refs` holds the commit of a branch or tag.
 */
import { lstatSync } from 'node:fs';
import { lstat, mkdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { randomBytes } from 'node:crypto';
import { writeWholeFile } from '../../core/files/whole-file.ts';
import type { RepositoryFile } from './hub-repository.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Determined in the same way as by `huggingface_hub`. */
export function cacheDirectory(env: Environment): string {
  const home = env['HF_HOME'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'huggingface');
  return resolve(env['HF_HUB_CACHE'] || join(home, 'hub'));
}

export class HubCache {
  readonly #directory: string;

  constructor(cache: string, { type, name }: { readonly type: string; readonly name: string }) {
    this.#directory = resolve(cache, `${type}s--${name.replaceAll('/', '--')}`);
  }

  /** A file gets its final name only when it is complete. */
  has({ etag, lengthBytes }: RepositoryFile): boolean {
    const stat = lstatSync(this.#blob(etag), { throwIfNoEntry: false });
    return stat?.isFile() === true && stat.size === lengthBytes;
  }

  /** The path for its content, at which nothing exists when this resolves. */
  async pathFor({ etag }: RepositoryFile): Promise<string> {
    const path = this.#blob(etag);
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    return path;
  }

  /** Resolves with the directory of the commit. */
  async link(
    files: readonly RepositoryFile[],
    { revision, commit }: { readonly revision: string; readonly commit: string },
  ): Promise<string> {
    const snapshot = join(this.#directory, 'snapshots', commit);
    await mkdir(snapshot, { recursive: true });
    for (const { path, etag } of files) await linkTo(this.#blob(etag), join(snapshot, path));
    if (revision !== commit) {
      const ref = join(this.#directory, 'refs', revision);
      await mkdir(dirname(ref), { recursive: true });
      await writeWholeFile(ref, commit, { mode: 0o644 });
    }
    return snapshot;
  }

  #blob(etag: string): string {
    return join(this.#directory, 'blobs', etag);
  }
}

/** A client that reads meanwhile sees the old file or the new one. */
async function linkTo(blob: string, path: string): Promise<void> {
  const target = relative(dirname(path), blob);
  await mkdir(dirname(path), { recursive: true });
  const stat = await lstat(path).catch(() => undefined);
  if (stat?.isSymbolicLink() && (await readlink(path)) === target) return;
  const temporary = `${path}.${randomBytes(6).toString('hex')}.incomplete`;
  await symlink(target, temporary);
  await rename(temporary, path);
}
