/**
 * Builds the directory of a version: chunks of versions that are here are copied while packs with the others are fetched, and every file is read back
 * and compared behind that, so that the last pack leaves little to be done. A file that is wrong because what it was copied from has been changed is
 * mended from the packs.
 */
import { createHash, hash, type Hash } from 'node:crypto';
import { chmod, lstat, mkdir, open, readdir, rm, statfs, symlink, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import {
  chunksOf,
  chunkTargets,
  packsOf,
  planFetch,
  type ChunkPlace,
  type FetchPlan,
  type LocalCopy,
} from '../../swarm/releases/fetch-plan.ts';
import type { Chunk, FileEntry, Manifest } from '../../swarm/releases/manifest.ts';
import { FilePool, writeAll } from './file-pool.ts';
import { together } from './together.ts';
import { WrittenFiles } from './written-files.ts';

const blockBytes = 4 * 2 ** 20;
/** Packs that are fetched at once. */
const packsAtOnce = 3;

export interface InstallOptions {
  readonly manifest: Manifest;
  /** Empty. */
  readonly target: string;
  /** Where a chunk already is on this disk. */
  readonly local: (sha256: string) => ChunkPlace | undefined;
  /** For packs. */
  readonly scratch: string;
  /** Writes a task's content to a file that is only read. */
  readonly fetch: (taskId: string, path: string, signal: AbortSignal) => Promise<void>;
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal;
}

type OnWritten = (path: string, offset: number, lengthBytes: number) => void;

interface WriteOptions extends InstallOptions {
  readonly onWritten?: OnWritten;
}

/** Throws DIGEST_MISMATCH, NO_SPACE, and the errors of `fetch`. */
export async function install(options: InstallOptions): Promise<void> {
  const { manifest, target } = options;
  const plan = planFetch(manifest, options.local);
  await requireSpace(options);
  await makeEntries(manifest, target);
  const wrong = await writeAndCompare(plan, options);
  if (wrong.length > 0) {
    await takePacks(packsOf(manifest, await wrongChunks(wrong, options)).packs, options);
    const [bad] = await wrongFiles(wrong, { ...options, end: ({ lengthBytes }) => Promise.resolve(lengthBytes) });
    if (bad) throw new DragonflyError('DIGEST_MISMATCH', `"${bad.path}" is not what the manifest says`);
  }
  await finishEntries(manifest, target);
}

/** Copies and packs write different places. Resolves with the files that are not what the manifest says. */
async function writeAndCompare(plan: FetchPlan, options: InstallOptions): Promise<readonly FileEntry[]> {
  const written = new WrittenFiles();
  let wrong: readonly FileEntry[] = [];
  await together(options.signal, [
    async (signal) => {
      const onWritten: OnWritten = (path, offset, lengthBytes) => written.wrote(path, offset, lengthBytes);
      const writing = { ...options, onWritten };
      await together(signal, [
        (ended) => copyLocal(plan.copies, { ...writing, signal: ended }),
        (ended) => takePacks(plan.packs, { ...writing, signal: ended }),
      ]);
      written.done();
    },
    async (signal) => {
      const end = (file: FileEntry, position: number): Promise<number> => written.beyond(file, position, signal);
      wrong = await wrongFiles(filesOf(options.manifest), { ...options, signal, end });
    },
  ]);
  return wrong;
}

/** Compares an existing directory with its manifest. */
export async function isIntact(manifest: Manifest, directory: string, signal: AbortSignal): Promise<boolean> {
  for (const { path, sha256, lengthBytes } of filesOf(manifest)) {
    signal.throwIfAborted();
    try {
      const stats = await lstat(join(directory, path));
      if (!stats.isFile() || stats.size !== lengthBytes) return false;
      if ((await digestOf(join(directory, path), signal)) !== sha256) return false;
    } catch (error) {
      signal.throwIfAborted();
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }
  return true;
}

function filesOf({ entries }: Manifest): FileEntry[] {
  return entries.filter((entry) => entry.kind === 'file');
}

async function requireSpace({ manifest, target }: InstallOptions): Promise<void> {
  const wanted = filesOf(manifest).reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const { bavail, bsize } = await statfs(target);
  if (bavail * bsize > wanted) return;
  throw new DragonflyError(
    'NO_SPACE',
    `${manifest.name}@${manifest.version} needs ${wanted} bytes, ${bavail * bsize} are free`,
    {
      hint: 'Free space there, or keep fewer versions.',
    },
  );
}

async function makeEntries({ entries }: Manifest, target: string): Promise<void> {
  for (const entry of entries) {
    const path = join(target, entry.path);
    if (entry.kind === 'directory') await mkdir(path, 0o700);
    if (entry.kind !== 'file') continue;
    await using file = await open(path, 'wx', 0o600);
    if (entry.lengthBytes > 0) await file.truncate(entry.lengthBytes);
  }
}

/** Chunks that cannot be read are found when the files are compared. */
async function copyLocal(
  copies: readonly LocalCopy[],
  { target, onBytes, onWritten, signal }: WriteOptions,
): Promise<void> {
  await using sources = new FilePool('r');
  await using targets = new FilePool('r+');
  const block = Buffer.allocUnsafeSlow(blockBytes);
  for (const { from, to, lengthBytes } of copies) {
    const path = join(target, to.file);
    for (let done = 0; done < lengthBytes;) {
      signal.throwIfAborted();
      const length = Math.min(blockBytes, lengthBytes - done);
      const bytesRead = await readSome(sources, from.file, { block, length, position: from.offset + done });
      if (bytesRead === 0) break;
      await writeAll(await targets.get(path), block.subarray(0, bytesRead), to.offset + done);
      onWritten?.(to.file, to.offset + done, bytesRead);
      done += bytesRead;
      onBytes(bytesRead);
    }
  }
}

async function readSome(
  sources: FilePool,
  path: string,
  { block, length, position }: { readonly block: Buffer; readonly length: number; readonly position: number },
): Promise<number> {
  try {
    return (await (await sources.get(path)).read(block, 0, length, position)).bytesRead;
  } catch {
    return 0;
  }
}

async function takePacks(packs: FetchPlan['packs'], options: WriteOptions): Promise<void> {
  const { manifest, scratch, fetch } = options;
  const places = chunkTargets(manifest);
  const left = [...packs];
  await using targets = new FilePool('r+');
  let turn: Promise<void> = Promise.resolve();
  const work = async (signal: AbortSignal): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [index, chunks] = next;
      const pack = manifest.packs[index];
      if (!pack) continue;
      signal.throwIfAborted();
      const path = join(scratch, `pack-${index}`);
      await rm(path, { force: true });
      await fetch(pack.taskId, path, signal);
      const take = (): Promise<void> => copyPack(path, chunks, { ...options, places, targets, signal });
      turn = turn.then(take);
      await turn;
      await unlink(path);
    }
  };
  await together(
    options.signal,
    Array.from({ length: packsAtOnce }, () => work),
  );
}

async function copyPack(
  path: string,
  chunks: readonly number[],
  to: Pick<WriteOptions, 'manifest' | 'target' | 'onBytes' | 'onWritten' | 'signal'> & {
    readonly places: ReadonlyMap<number, readonly ChunkPlace[]>;
    readonly targets: FilePool;
  },
): Promise<void> {
  await using pack = await open(path, 'r');
  const block = Buffer.allocUnsafe(to.manifest.sizes.maxBytes);
  for (const index of chunks) {
    to.signal.throwIfAborted();
    const chunk = to.manifest.chunks[index] as Chunk;
    const bytes = block.subarray(0, chunk.lengthBytes);
    const { bytesRead } = await pack.read(bytes, 0, bytes.length, chunk.offset);
    if (bytesRead !== bytes.length || hash('sha256', bytes, 'hex') !== chunk.sha256)
      throw new DragonflyError(
        'DIGEST_MISMATCH',
        `chunk ${index} of ${to.manifest.name}@${to.manifest.version} is not what the manifest says`,
        { hint: 'Publish the version anew, under another name of it.' },
      );
    for (const { file, offset } of to.places.get(index) ?? []) {
      await writeAll(await to.targets.get(join(to.target, file)), bytes, offset);
      to.onWritten?.(file, offset, bytes.length);
    }
    to.onBytes(bytes.length);
  }
}

interface CompareOptions extends Pick<InstallOptions, 'target' | 'signal'> {
  /** Resolves with a position up to which the file can be read, beyond the given one. */
  readonly end: (file: FileEntry, position: number) => Promise<number>;
}

/** The files that differ from the manifest; the others are flushed to disk. */
async function wrongFiles(
  files: readonly FileEntry[],
  { target, signal, end }: CompareOptions,
): Promise<readonly FileEntry[]> {
  const wrong: FileEntry[] = [];
  for (const entry of files) {
    await using file = await open(join(target, entry.path), 'r');
    const digest = createHash('sha256');
    for (let position = 0; position < entry.lengthBytes;) {
      const until = await end(entry, position);
      await addToDigest(digest, { file, position, until, signal });
      position = until;
    }
    if (digest.digest('hex') === entry.sha256) await file.datasync();
    else wrong.push(entry);
  }
  return wrong;
}

async function wrongChunks(
  files: readonly FileEntry[],
  { manifest, target }: Pick<InstallOptions, 'manifest' | 'target'>,
): Promise<ReadonlySet<number>> {
  const wrong = new Set<number>();
  for (const entry of files) {
    await using file = await open(join(target, entry.path), 'r');
    const block = Buffer.allocUnsafe(manifest.sizes.maxBytes);
    let isRight = true;
    for (const { index, chunk, offset } of chunksOf(entry, manifest.chunks)) {
      const bytes = block.subarray(0, chunk.lengthBytes);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
      if (bytesRead === bytes.length && hash('sha256', bytes, 'hex') === chunk.sha256) continue;
      isRight = false;
      wrong.add(index);
    }
    // All of its chunks are correct but the whole is not, so the manifest contradicts itself.
    if (isRight) throw new DragonflyError('DIGEST_MISMATCH', `"${entry.path}" is not what the manifest says`);
  }
  return wrong;
}

async function digestOf(path: string, signal: AbortSignal): Promise<string> {
  await using file = await open(path, 'r');
  const digest = createHash('sha256');
  await addToDigest(digest, { file, position: 0, until: Number.POSITIVE_INFINITY, signal });
  return digest.digest('hex');
}

/** Reads on from the position; ends early where the file does. */
async function addToDigest(
  digest: Hash,
  part: {
    readonly file: FileHandle;
    readonly position: number;
    readonly until: number;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const block = Buffer.allocUnsafe(2 ** 20);
  for (let position = part.position; position < part.until;) {
    part.signal.throwIfAborted();
    const length = Math.min(block.length, part.until - position);
    const { bytesRead } = await part.file.read(block, 0, length, position);
    if (bytesRead === 0) break;
    digest.update(block.subarray(0, bytesRead));
    position += bytesRead;
  }
}

/**
 * Links come last, so that nothing is ever written through one. A directory gets its rights after its entries; those of the root
 * are set by whoever names it.
 */
async function finishEntries({ entries }: Manifest, target: string): Promise<void> {
  for (const entry of entries.toReversed()) {
    const path = join(target, entry.path);
    if (entry.kind === 'link') await symlink(entry.target, path);
    else await chmod(path, entry.mode);
  }
}

/** Makes directories writable, so that their entries can be deleted. */
export async function openDirectories(path: string): Promise<void> {
  const stats = await lstat(path).catch((error: unknown) => {
    if (toDragonflyError(error).code === 'INTERNAL') return undefined;
    throw error;
  });
  if (!stats?.isDirectory()) return;
  await chmod(path, 0o700);
  for (const name of await readdir(path)) await openDirectories(join(path, name));
}
