/**
 * Applies a plan, and undoes it exactly. The journal is written first, so that whatever happens in between `undo` knows
 * the previous state. A file that someone else has changed since is left alone.
 */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, open, readFile, rename, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { DragonflyError } from '../../core/errors.ts';
import type { FileChange, SetupPlan } from './plan.ts';

const entry = z.object({
  path: z.string(),
  /** The previous text; absent when the file was created. */
  before: z.string().optional(),
  mode: z.number().optional(),
  uid: z.number().optional(),
  gid: z.number().optional(),
  /** The SHA-256 of the written text, to notice later changes. */
  written: z.string(),
  /** Directories created for the file, outermost first. */
  madeDirectories: z.array(z.string()),
});
const journalSchema = z.object({
  engine: z.string(),
  at: z.string(),
  entries: z.array(entry),
  /** Commands to run after the files are restored. */
  putBack: z.array(z.string()).default([]),
});

type JournalEntry = z.output<typeof entry>;

export class SetupJournal {
  readonly #path: string;
  readonly #engine: string;

  constructor(directory: string, engine: string) {
    this.#path = join(directory, `setup-${engine}.json`);
    this.#engine = engine;
  }

  /**
   * Writes every changed file atomically. When one of them fails, all are restored. Throws ALREADY_EXISTS when an
   * earlier set-up has not been undone.
   */
  async apply(plan: SetupPlan): Promise<void> {
    if ((await readOrUndefined(this.#path)) !== undefined) {
      throw new DragonflyError('ALREADY_EXISTS', `${this.#engine} was set up before; its record is ${this.#path}`, {
        hint: `Undo it first: dragonfly setup ${this.#engine} --undo.`,
      });
    }
    const entries: JournalEntry[] = [];
    for (const change of plan.changes) entries.push(await entryFor(change));
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    const text = JSON.stringify(
      { engine: this.#engine, at: new Date().toISOString(), entries, putBack: plan.takeover?.putBack ?? [] },
      undefined,
      2,
    );
    await writeWhole(this.#path, text, { mode: 0o600 });
    try {
      for (const change of plan.changes) {
        await mkdir(dirname(change.path), { recursive: true, mode: 0o755 });
        const kept = entries.find(({ path }) => path === change.path);
        await writeWhole(change.path, change.after, { mode: kept?.mode ?? 0o644, uid: kept?.uid, gid: kept?.gid });
      }
      if (plan.takeover) await runCommand(plan.takeover.written);
    } catch (error) {
      await this.undo().catch(() => undefined); // the record stays for another attempt; the first failure is more informative
      throw error;
    }
  }

  /** True when there is something to undo. */
  async isRecorded(): Promise<boolean> {
    return (await readOrUndefined(this.#path)) !== undefined;
  }

  /** Restores everything, last change first. Resolves with the paths. Throws FAILED_PRECONDITION when a file has been changed since. */
  async undo(): Promise<readonly string[]> {
    const text = await readOrUndefined(this.#path);
    if (text === undefined) {
      throw new DragonflyError('NOT_FOUND', `nothing to undo: ${this.#path} does not exist`, {
        hint: 'Name the directory that --apply was given with --state-dir, if it was another.',
      });
    }
    const { entries, putBack } = journalSchema.parse(JSON.parse(text));
    const states = await Promise.all(entries.map(async (item) => ({ item, now: await readOrUndefined(item.path) })));
    const foreign = states.filter(
      ({ item, now }) => now !== item.before && (now === undefined || sha256(now) !== item.written),
    );
    if (foreign.length > 0) {
      const paths = foreign.map(({ item }) => item.path).join(', ');
      throw new DragonflyError('FAILED_PRECONDITION', `changed by somebody else since the set-up: ${paths}`, {
        hint: `Take the change back by hand; ${this.#path} holds what was there before.`,
      });
    }
    for (const { item, now } of states.reverse()) {
      if (item.before !== undefined) await writeWhole(item.path, item.before, item);
      else if (now !== undefined) await unlink(item.path);
      for (const directory of item.madeDirectories.toReversed()) await rmdir(directory).catch(() => undefined); // not empty: used by others
    }
    if (putBack.length > 0) await runCommand(putBack);
    await unlink(this.#path);
    return entries.map(({ path }) => path);
  }
}

const commandTimeoutMs = 60_000;

/** Throws FAILED_PRECONDITION with the command's output. */
async function runCommand([program = '', ...args]: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)(program, args, { timeout: commandTimeoutMs });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1) || (error as Error).message;
    throw new DragonflyError('FAILED_PRECONDITION', `${[program, ...args].join(' ')} failed: ${said}`, {
      cause: error,
      hint: 'Run it by hand to see why.',
    });
  }
}

async function entryFor({ path, before, after }: FileChange): Promise<JournalEntry> {
  const madeDirectories: string[] = [];
  for (
    let directory = dirname(path);
    (await statOrUndefined(directory)) === undefined;
    directory = dirname(directory)
  ) {
    madeDirectories.unshift(directory);
  }
  const status = before === undefined ? undefined : await stat(path);
  return {
    path,
    ...(before !== undefined && { before }),
    ...(status && { mode: status.mode & 0o7777, uid: status.uid, gid: status.gid }),
    written: sha256(after),
    madeDirectories,
  };
}

/** The file has either the old or the new content at any time, even after a power cut. */
async function writeWhole(
  path: string,
  text: string,
  owner: { mode?: number | undefined; uid?: number | undefined; gid?: number | undefined },
): Promise<void> {
  const aside = `${path}.${randomBytes(4).toString('hex')}`;
  const file = await open(aside, 'wx', owner.mode ?? 0o644);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(aside, owner.mode ?? 0o644);
  if (owner.uid !== undefined && owner.gid !== undefined) await chown(aside, owner.uid, owner.gid);
  await rename(aside, path);
}

export async function readOrUndefined(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function statOrUndefined(path: string): Promise<unknown> {
  return stat(path).catch(() => undefined);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
