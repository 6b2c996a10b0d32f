/** Backup and restore of an embedded database, with the key without which its secrets are lost. */
import { access, chmod, copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { DragonflyError } from '../../core/errors.ts';
import { databaseEngine, type ManagerConfig } from '../config.ts';

const databaseFile = 'manager.db';
const keyFile = 'manager.key';

/** Writes a consistent copy to a new directory while the manager runs. Throws FAILED_PRECONDITION, ALREADY_EXISTS. */
export async function backUp(config: ManagerConfig, directory: string): Promise<void> {
  const path = embeddedPath(config);
  await mkdir(dirname(directory), { recursive: true });
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (cause) {
    throw new DragonflyError('ALREADY_EXISTS', `${directory} cannot be created: ${(cause as Error).message}`, {
      cause,
      hint: 'Name a directory that does not exist yet.',
    });
  }
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    await backup(database, join(directory, databaseFile));
  } finally {
    database.close();
  }
  check(join(directory, databaseFile));
  await chmod(join(directory, databaseFile), 0o600);
  const key = keyPath(config, path);
  if (await exists(key)) await copyFile(key, join(directory, keyFile));
}

/** Replaces the database by a copy; the manager must not be running. The previous files are kept as `.before-restore`. */
export async function restore(config: ManagerConfig, directory: string): Promise<void> {
  const path = embeddedPath(config);
  const source = join(directory, databaseFile);
  if (!(await exists(source)))
    throw new DragonflyError('NOT_FOUND', `${directory} holds no back-up: ${databaseFile} is missing`);
  check(source);
  if (await exists(path)) requireUnused(path);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await replace(source, path);
  for (const suffix of ['-wal', '-shm']) await rm(`${path}${suffix}`, { force: true });
  const key = keyPath(config, path);
  if (await exists(join(directory, keyFile))) await replace(join(directory, keyFile), key);
}

function embeddedPath({ database }: ManagerConfig): string {
  if (databaseEngine(database) === 'sqlite') return database.sqlite.path;
  throw new DragonflyError('FAILED_PRECONDITION', 'only an embedded database is backed up here', {
    hint: 'Use pg_dump or mysqldump for a database server.',
  });
}

function keyPath({ server }: ManagerConfig, database: string): string {
  return server.encryptionKeyFile ?? join(dirname(database), keyFile);
}

/** Throws FAILED_PRECONDITION when the file is damaged. */
function check(path: string): void {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const [row] = database.prepare('pragma quick_check').all();
    if (row?.['quick_check'] === 'ok') return;
    throw new DragonflyError('FAILED_PRECONDITION', `${path} is damaged: ${String(row?.['quick_check'])}`);
  } finally {
    database.close();
  }
}

/** Throws IN_USE when another process has the database open and writes. */
function requireUnused(path: string): void {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('pragma locking_mode = exclusive; begin exclusive; rollback');
  } catch (cause) {
    throw new DragonflyError('IN_USE', `${path} is in use`, { cause, hint: 'Stop the manager first.' });
  } finally {
    database.close();
  }
}

async function replace(source: string, target: string): Promise<void> {
  const incoming = `${target}.incoming`;
  await copyFile(source, incoming);
  await chmod(incoming, 0o600);
  if (await exists(target)) await rename(target, `${target}.before-restore`);
  await rename(incoming, target);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
