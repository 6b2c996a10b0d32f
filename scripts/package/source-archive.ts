/** A directory as an archive whose bytes depend on its files alone. */
import { createWriteStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { tar, type TarEntry } from './image/tar.ts';
import { sourceDate } from './release-facts.ts';

/**
 * @param name of the directory inside.
 * @param file compressed when its name ends in `gz`.
 */
export async function sourceArchive(directory: string, name: string, file: string): Promise<void> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true });
  const entries = await Promise.all(
    found.map(async (entry): Promise<TarEntry> => {
      const from = join(entry.parentPath, entry.name);
      const path = join(name, relative(directory, from));
      if (entry.isDirectory()) return { kind: 'directory', path, mode: 0o755 };
      return { kind: 'file', path, from, mode: ((await stat(from)).mode & 0o100) === 0 ? 0o644 : 0o755 };
    }),
  );
  const all: TarEntry[] = [{ kind: 'directory', path: name, mode: 0o755 }, ...entries];
  const archive = Readable.from(tar(all, sourceDate()));
  const target = createWriteStream(file);
  await (file.endsWith('gz') ? pipeline(archive, createGzip({ level: 9 }), target) : pipeline(archive, target));
}
