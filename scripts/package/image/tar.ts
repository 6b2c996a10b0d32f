/** Tar archives (ustar) of given entries, without anything of the machine they are made on. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

const blockBytes = 512;
const nameBytes = 100;
const prefixBytes = 155;

export type TarEntry = {
  /** Relative, without a slash at the end. */
  readonly path: string;
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
} & (
  | { readonly kind: 'directory' }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly from: string }
);

/** @param seconds since 1970, of every entry. Entries are written in the order of their paths. */
export async function* tar(entries: readonly TarEntry[], seconds: number): AsyncGenerator<Buffer, void, undefined> {
  for (const entry of entries.toSorted((one, other) => (one.path < other.path ? -1 : 1))) {
    const size =
      entry.kind === 'file' ? (await stat(entry.from)).size : entry.kind === 'text' ? Buffer.byteLength(entry.text) : 0;
    yield header(entry, size, seconds);
    if (entry.kind === 'text') yield Buffer.from(entry.text);
    if (entry.kind === 'file') yield* createReadStream(entry.from, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>;
    const rest = size % blockBytes;
    if (rest > 0) yield Buffer.alloc(blockBytes - rest);
  }
  yield Buffer.alloc(2 * blockBytes);
}

function header(entry: TarEntry, size: number, seconds: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const [prefix, name] = splitPath(entry.kind === 'directory' ? `${entry.path}/` : entry.path);
  const octal = (value: number, at: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  };
  block.write(name, 0);
  octal(entry.mode, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(seconds, 136, 12);
  block.write(' '.repeat(8), 148);
  block.write(entry.kind === 'directory' ? '5' : entry.kind === 'link' ? '2' : '0', 156);
  if (entry.kind === 'link') block.write(entry.target, 157);
  block.write('ustar\x0000', 257, 'latin1');
  octal(0, 329, 8);
  octal(0, 337, 8);
  block.write(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Throws when a path has no place to be split at. */
function splitPath(path: string): [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= nameBytes) return ['', path];
  const at = path.indexOf('/', path.length - nameBytes - 1);
  if (at <= 0 || at > prefixBytes || at === path.length - 1)
    throw new Error(`the path is too long for an archive: ${path}`);
  return [path.slice(0, at), path.slice(at + 1)];
}
