/** Files that are replaced atomically: a reader finds the old content or the new, even after a crash. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';

export interface WholeFileOptions {
  /** Whatever the umask says. */
  readonly mode: number;
  /** The default is that of this process. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/**
 * Writes a temporary file beside it, flushes it to the disk and renames it into place. When the file system fails, rejects and
 * leaves nothing behind.
 */
export async function writeWholeFile(path: string, content: string, { mode, owner }: WholeFileOptions): Promise<void> {
  const aside = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    await using file = await open(aside, 'wx', mode);
    await file.writeFile(content);
    await file.chmod(mode);
    if (owner) await file.chown(owner.uid, owner.gid);
    await file.sync();
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
