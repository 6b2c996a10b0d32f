/** A key in a file that nobody else can read: base64 of 32 bytes. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DragonflyError } from '../errors.ts';
import { masterKeyBytes } from '../secret-box.ts';

/** Undefined when the file is missing. Throws CONFIG_INVALID when others can read it or it contains no key. */
export async function readKeyFile(file: string): Promise<Buffer | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  await requirePrivate(file);
  return decodeKey(text, file);
}

/** When another process is faster, its key is used. */
export async function createKeyFile(file: string): Promise<Buffer> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const key = randomBytes(masterKeyBytes);
  try {
    await using created = await open(file, 'wx', 0o600);
    await created.writeFile(`${key.toString('base64')}\n`);
    await created.sync();
    return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return decodeKey(await readFile(file, 'utf8'), file); // another process on this host was faster
  }
}

async function requirePrivate(file: string): Promise<void> {
  const { mode, uid } = await stat(file);
  if (uid === process.getuid?.()) return chmod(file, mode & 0o700);
  if ((mode & 0o077) === 0) return;
  throw new DragonflyError('CONFIG_INVALID', `the key file ${file} belongs to another user and others can read it`, {
    hint: 'chown it to the user this service runs as, and chmod 600.',
  });
}

export function decodeKey(text: string, source: string): Buffer {
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length === masterKeyBytes) return key;
  throw new DragonflyError('CONFIG_INVALID', `${source} must hold ${masterKeyBytes} bytes in base64`, {
    hint: 'Create one with: head -c 32 /dev/urandom | base64',
  });
}
