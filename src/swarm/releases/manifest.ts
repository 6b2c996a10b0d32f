/**
 * What a version of a directory consists of: its entries, the chunks of its files, and the packs that contain them. A
 * pack is the content of one persistent cache task: chunks one after the other. A manifest is JSON text; a received one
 * is validated completely before anything is done with it.
 */
import { DragonflyError } from '../../core/errors.ts';
import { isTaskId } from '../../core/ids.ts';
import { isChunkSizes, type ChunkSizes } from './chunker.ts';
import { releaseLimits } from './limits.ts';
import { requireName, requireVersion } from './names.ts';
import { requireTree } from './tree.ts';

export interface Pack {
  readonly taskId: string;
  /** SHA-256 of the whole, in hexadecimal. */
  readonly sha256: string;
  readonly lengthBytes: number;
  /** Its replicas stay until then; milliseconds since 1970. */
  readonly expiresMs: number;
}

export interface Chunk {
  readonly sha256: string;
  /** Index of its pack, and where in it the chunk begins. */
  readonly pack: number;
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Index of the first chunk, and the number of chunks. */
export type ChunkRun = readonly [first: number, count: number];

export interface FileEntry {
  readonly kind: 'file';
  readonly path: string;
  readonly mode: number;
  readonly lengthBytes: number;
  readonly sha256: string;
  readonly runs: readonly ChunkRun[];
}

export interface DirectoryEntry {
  readonly kind: 'directory';
  readonly path: string;
  readonly mode: number;
}

export interface LinkEntry {
  readonly kind: 'link';
  readonly path: string;
  readonly target: string;
}

export type Entry = FileEntry | DirectoryEntry | LinkEntry;

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly sizes: ChunkSizes;
  /** Of the directory itself. */
  readonly mode: number;
  readonly packs: readonly Pack[];
  /** Sorted by pack index, then by offset in the pack. */
  readonly chunks: readonly Chunk[];
  /** Directories precede their entries. */
  readonly entries: readonly Entry[];
}

const format = 1;

export function manifestText({ name, version, sizes, mode, packs, chunks, entries }: Manifest): string {
  const byPack = Map.groupBy(chunks, ({ pack }) => pack);
  return JSON.stringify({
    format,
    name,
    version,
    averageChunk: sizes.averageBytes,
    mode,
    packs: packs.map((pack, index) => {
      const own = byPack.get(index) ?? [];
      return {
        ...pack,
        chunks: own.map(({ sha256 }) => sha256).join(''),
        lengths: own.map(({ lengthBytes }) => lengthBytes),
        offsets: own.map(({ offset }) => offset),
      };
    }),
    entries,
  });
}

/** Canonical text for comparing directories: the same for the same content, however it was cut. */
export function contentText({ mode, entries }: Pick<Manifest, 'mode' | 'entries'>): string {
  const sorted = entries.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return JSON.stringify([mode, ...sorted.map(contentOf)]);
}

function contentOf(entry: Entry): readonly unknown[] {
  const { kind, path } = entry;
  if (kind === 'link') return [kind, path, entry.target];
  return kind === 'file' ? [kind, path, entry.mode, entry.lengthBytes, entry.sha256] : [kind, path, entry.mode];
}

/** Throws PROTOCOL with what is wrong. */
export function parseManifest(text: string): Manifest {
  try {
    return read(JSON.parse(text));
  } catch (error) {
    throw new DragonflyError('PROTOCOL', `the manifest is no manifest: ${(error as Error).message}`, { cause: error });
  }
}

function read(value: unknown): Manifest {
  const top = record(value, 'the whole');
  if (top['format'] !== format) throw new Error(`its format is ${String(top['format'])}, expected ${format}`);
  const name = text(top['name'], 'name');
  const version = text(top['version'], 'version');
  requireName(name);
  requireVersion(version);
  const averageBytes = integer(top['averageChunk'], 'averageChunk');
  const sizes = { minBytes: averageBytes / 4, averageBytes, maxBytes: averageBytes * 4 };
  if (!isChunkSizes(sizes)) throw new Error(`chunks of ${averageBytes} bytes`);
  const given = list(top['packs'], 'packs', releaseLimits.packs).map((pack) => record(pack, 'a pack'));
  const packs = given.map(readPack);
  const chunks = given.flatMap((pack, index) => readChunks(pack, index, packs[index] as Pack, sizes));
  if (chunks.length > releaseLimits.chunks) throw new Error(`${chunks.length} chunks`);
  const budget = { references: releaseLimits.references };
  const entries = list(top['entries'], 'entries', releaseLimits.entries).map((entry) =>
    readEntry(entry, chunks, budget),
  );
  requireTree(entries);
  return { name, version, sizes, mode: modeOf(top['mode']), packs, chunks, entries };
}

function readPack(value: Readonly<Record<string, unknown>>): Pack {
  const taskId = text(value['taskId'], 'taskId');
  if (!isTaskId(taskId)) throw new Error(`"${taskId.slice(0, 80)}" is no id of a task`);
  return {
    taskId,
    sha256: sha256(value['sha256']),
    lengthBytes: integer(value['lengthBytes'], 'lengthBytes'),
    expiresMs: integer(value['expiresMs'], 'expiresMs'),
  };
}

function readChunks(
  value: Readonly<Record<string, unknown>>,
  pack: number,
  { lengthBytes: packBytes }: Pack,
  { maxBytes }: ChunkSizes,
): Chunk[] {
  const digests = text(value['chunks'], 'chunks');
  const lengths = list(value['lengths'], 'lengths', releaseLimits.chunks);
  const offsets = list(value['offsets'], 'offsets', releaseLimits.chunks);
  if (digests.length !== lengths.length * 64 || offsets.length !== lengths.length || !/^[0-9a-f]*$/.test(digests))
    throw new Error(`pack ${pack} lists its chunks in part`);
  return lengths.map((given, index) => {
    const lengthBytes = integer(given, 'a length');
    const offset = integer(offsets[index], 'an offset');
    if (lengthBytes < 1 || lengthBytes > maxBytes || offset + lengthBytes > packBytes)
      throw new Error(`chunk ${index} of pack ${pack} lies outside of it`);
    return { sha256: digests.slice(index * 64, index * 64 + 64), pack, offset, lengthBytes };
  });
}

/** How many more references to chunks are allowed. */
interface Budget {
  references: number;
}

function readEntry(given: unknown, chunks: readonly Chunk[], budget: Budget): Entry {
  const value = record(given, 'an entry');
  const path = text(value['path'], 'path');
  switch (value['kind']) {
    case 'directory':
      return { kind: 'directory', path, mode: modeOf(value['mode']) };
    case 'link':
      return { kind: 'link', path, target: text(value['target'], 'target') };
    case 'file': {
      const lengthBytes = integer(value['lengthBytes'], 'lengthBytes');
      const runs = list(value['runs'], 'runs', releaseLimits.chunks).map((run) => readRun(run, chunks.length, budget));
      if (lengthOf(runs, chunks) !== lengthBytes) throw new Error(`the chunks of "${path}" are not its length`);
      return { kind: 'file', path, mode: modeOf(value['mode']), lengthBytes, sha256: sha256(value['sha256']), runs };
    }
    default:
      throw new Error(`"${path}" is a ${String(value['kind'])}`);
  }
}

function readRun(given: unknown, chunkCount: number, budget: Budget): ChunkRun {
  const [first, count] = list(given, 'a run', 2).map((number) => integer(number, 'a run'));
  if (first === undefined || count === undefined || count < 1 || first + count > chunkCount)
    throw new Error('a run of chunks that are not there');
  budget.references -= count;
  if (budget.references < 0) throw new Error(`its files have more than ${releaseLimits.references} chunks`);
  return [first, count];
}

function lengthOf(runs: readonly ChunkRun[], chunks: readonly Chunk[]): number {
  let bytes = 0;
  for (const [first, count] of runs)
    for (let index = first; index < first + count; index += 1) bytes += chunks[index]?.lengthBytes ?? 0;
  return bytes;
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} is no object`);
  return value as Record<string, unknown>;
}

function list(value: unknown, what: string, maxLength: number): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${what} is no list`);
  if (value.length > maxLength)
    throw new Error(`${what} has ${value.length} entries, at most ${maxLength} are allowed`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new Error(`${what} is no text`);
  return value;
}

function integer(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Error(`${what} is no whole number`);
  return value as number;
}

function modeOf(value: unknown): number {
  const mode = integer(value, 'mode');
  if (mode > 0o777) throw new Error(`the mode ${mode.toString(8)}`);
  return mode;
}

function sha256(value: unknown): string {
  const digest = text(value, 'sha256');
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error('a digest that is no SHA-256');
  return digest;
}
