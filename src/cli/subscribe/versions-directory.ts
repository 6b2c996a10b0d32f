/**
 * Where a subscriber has its versions: `PATH` is a symbolic link into `PATH.versions`, with one directory per version. What is there is exactly what the
 * record beside says: a version is built under another name, and named, recorded and linked in this order, so that a program that is killed at any
 * moment leaves PATH at the old version or at the new one. Whatever is not recorded is deleted when the directory is opened the next time.
 */
import { lstatSync, readlinkSync } from 'node:fs';
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { DragonflyError } from '../../core/errors.ts';
import { writeWholeFile } from '../../core/files/whole-file.ts';
import { manifestText, parseManifest, type Manifest } from '../../swarm/releases/manifest.ts';

const recordSchema = z.object({
  name: z.string(),
  /** The id of the newest version that was handled: newer ones are followed, older ones are not returned to. */
  followed: z.int().min(0),
  /** In order of use: the current one is last. */
  kept: z.array(z.object({ version: z.string(), manifestDigest: z.string() })),
  /** The version for which the operator's command has succeeded. */
  told: z.string(),
});

type VersionsRecord = z.output<typeof recordSchema>;

const unfinished = '.unfinished-';
const recordName = '.record.json';
const lockName = '.lock';

export class VersionsDirectory implements Disposable {
  /** Absolute. */
  readonly link: string;
  readonly #base: string;
  readonly #lock: DatabaseSync;
  #record: VersionsRecord;

  private constructor(link: string, lock: DatabaseSync, record: VersionsRecord) {
    this.link = link;
    this.#base = `${link}.versions`;
    this.#lock = lock;
    this.#record = record;
  }

  /**
   * Locks the directory for this process. Throws IN_USE, FAILED_PRECONDITION when it has versions of another name, OUTPUT when
   * the path is something else.
   */
  static async open(path: string, name: string): Promise<VersionsDirectory> {
    const link = await placeOf(path);
    requireOwnLink(link);
    const base = `${link}.versions`;
    await makeOwn(base);
    const lock = lockOf(join(base, lockName), link);
    try {
      const record = (await readRecord(join(base, recordName))) ?? { name, followed: 0, kept: [], told: '' };
      if (record.name !== name)
        throw new DragonflyError('FAILED_PRECONDITION', `${link} has versions of ${record.name}`, {
          hint: 'Give every name a path of its own.',
        });
      const directory = new VersionsDirectory(link, lock, record);
      await directory.#write({}); // written first, because files without a record are not ours to delete
      await directory.#sweep();
      return directory;
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  get followed(): number {
    return this.#record.followed;
  }

  /** What the link leads to. */
  get current(): string | undefined {
    return versionOf(this.link);
  }

  get told(): string {
    return this.#record.told;
  }

  /** The most recently used version comes first. */
  get kept(): readonly { readonly version: string; readonly manifestDigest: string }[] {
    return this.#record.kept.toReversed();
  }

  pathOf(version: string): string {
    return join(this.#base, version);
  }

  /** The manifest of a kept version; undefined when it cannot be read. */
  async manifestOf(version: string): Promise<Manifest | undefined> {
    try {
      return parseManifest(await readFile(this.#manifestPath(version), 'utf8'));
    } catch {
      return undefined; // its chunks are fetched instead
    }
  }

  /** An empty directory on the same file system, for temporary files. */
  unfinished(): Promise<string> {
    return mkdtemp(join(this.#base, unfinished));
  }

  /** Adds a finished directory. */
  async add(staged: string, manifest: Manifest, manifestDigest: string): Promise<void> {
    const { version } = manifest;
    const place = this.pathOf(version);
    await this.#setAside(place);
    await writeFile(this.#manifestPath(version), manifestText(manifest), { mode: 0o600 });
    await rename(staged, place);
    await chmod(place, manifest.mode);
    await syncDirectory(this.#base);
    const others = this.#record.kept.filter((kept) => kept.version !== version);
    await this.#write({ kept: [...others, { version, manifestDigest }] });
    await this.#sweep();
  }

  /** From here on every program that opens the path finds this version. */
  async switchTo(version: string, followed: number): Promise<void> {
    const isThis = (one: { readonly version: string }): boolean => one.version === version;
    if (this.current !== version) {
      const aside = join(this.#base, `${unfinished}link`);
      await rm(aside, { force: true });
      await symlink(`${basename(this.#base)}/${version}`, aside);
      await rename(aside, this.link);
      await syncDirectory(dirname(this.link));
    }
    const { kept } = this.#record;
    const [now, others] = [kept.filter(isThis), kept.filter((one) => !isThis(one))];
    await this.#write({ followed: Math.max(followed, this.#record.followed), kept: [...others, ...now] });
  }

  async markTold(version: string): Promise<void> {
    await this.#write({ told: version });
  }

  /** Keeps the current version and the ones used before it, `count` in all. */
  async keep(count: number): Promise<void> {
    const { current } = this;
    const others = this.kept.filter(({ version }) => version !== current).slice(0, Math.max(0, count - 1));
    const stay = new Set([...others.map(({ version }) => version), current]);
    await this.#write({ kept: this.#record.kept.filter(({ version }) => stay.has(version)) });
    await this.#sweep();
  }

  [Symbol.dispose](): void {
    this.#lock.close();
  }

  #manifestPath(version: string): string {
    return join(this.#base, `.${version}.manifest.json`);
  }

  async #write(changes: Partial<VersionsRecord>): Promise<void> {
    this.#record = { ...this.#record, ...changes };
    await writeWholeFile(join(this.#base, recordName), JSON.stringify(this.#record), { mode: 0o600 });
  }

  /** Moves a directory away before it is deleted, so that it is never half deleted under its own name. */
  async #setAside(place: string): Promise<void> {
    if (!lstatSync(place, { throwIfNoEntry: false })) return;
    await chmod(place, 0o700); // a directory without write permission cannot be moved
    await rename(place, join(await this.unfinished(), 'gone'));
  }

  async #sweep(): Promise<void> {
    const { current } = this;
    const stay = new Set(this.#record.kept.map(({ version }) => version));
    if (current !== undefined) stay.add(current);
    for (const name of await readdir(this.#base)) {
      const path = join(this.#base, name);
      const ofManifest = /^\.(.+)\.manifest\.json$/.exec(name)?.[1];
      if (name.startsWith(unfinished)) await removeTree(path);
      else if (ofManifest !== undefined && !stay.has(ofManifest)) await rm(path, { force: true });
      else if (!name.startsWith('.') && !stay.has(name)) {
        await this.#setAside(path);
        await this.#sweep();
        return;
      }
    }
  }
}

/** Published directories may lack write permission. */
async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(async (error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM') throw error;
    const { openDirectories } = await import('./install.ts');
    await openDirectories(path);
    await rm(path, { recursive: true, force: true });
  });
}

async function placeOf(path: string): Promise<string> {
  const full = resolve(path);
  const parent = await realpath(dirname(full)).catch((cause: unknown) => {
    throw new DragonflyError('OUTPUT', `the directory ${dirname(full)} does not exist`, {
      cause,
      hint: 'Create it first.',
    });
  });
  return join(parent, basename(full));
}

/** Deletes everything in it that is not recorded, so nobody else may have created or filled it, or replaced it by a link. Throws OUTPUT. */
async function makeOwn(base: string): Promise<void> {
  try {
    await mkdir(base, { mode: 0o755 });
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const stats = lstatSync(base);
  const isOwn = stats.isDirectory() && stats.uid === process.geteuid?.() && (stats.mode & 0o022) === 0;
  const names = isOwn ? await readdir(base) : [];
  if (isOwn && (names.includes(recordName) || names.every(isOfBeginning))) return;
  throw new DragonflyError(
    'OUTPUT',
    isOwn
      ? `${base} holds something else than versions`
      : `${base} is not a directory of this user that nobody else may write to`,
    { hint: 'Move it away, or name another path: what is in it would be deleted.' },
  );
}

/** Left by a process that was killed before there was a record. */
function isOfBeginning(name: string): boolean {
  return name.startsWith(lockName) || name.startsWith(recordName);
}

function requireOwnLink(link: string): void {
  const stats = lstatSync(link, { throwIfNoEntry: false });
  if (!stats || (stats.isSymbolicLink() && versionOf(link) !== undefined)) return;
  throw new DragonflyError('OUTPUT', `${link} exists and is no link to a version`, {
    hint: 'Name a path that is not there yet: it becomes a symbolic link to the version in use.',
  });
}

function versionOf(link: string): string | undefined {
  let target: string;
  try {
    target = readlinkSync(link);
  } catch {
    return undefined;
  }
  const prefix = `${basename(link)}.versions/`;
  return target.startsWith(prefix) ? target.slice(prefix.length) : undefined;
}

async function readRecord(path: string): Promise<VersionsRecord | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new DragonflyError('STORAGE', `${path} is damaged`, {
      cause,
      hint: 'Delete it: what is missing is fetched again.',
    });
  }
}

/** The operating system holds the lock for this process, and releases it however the process ends. */
function lockOf(path: string, link: string): DatabaseSync {
  const lock = new DatabaseSync(path);
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    lock.close();
    throw new DragonflyError('IN_USE', `another subscriber is working on ${link}`, {
      cause,
      hint: 'Try again when it is done.',
    });
  }
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}
