/**
 * Secrets at rest. One master key per installation, outside the database; from it one key per use. What is sealed for
 * one purpose cannot be opened as another, so a copied column does not turn one secret into a different one.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DragonflyError } from '../../core/errors.ts';
import type { Database } from '../db/database.ts';
import { isUniqueViolation } from '../db/engine.ts';

const masterKeyBytes = 32;
const ivBytes = 12;
const tagBytes = 16;
const format = 'v1.';

export class Sealer {
  readonly #sealKey: Buffer;
  readonly #tokenKey: Buffer;

  constructor(masterKey: Buffer) {
    this.#sealKey = derive(masterKey, 'seal');
    this.#tokenKey = derive(masterKey, 'token');
  }

  seal(purpose: string, secret: string): string {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv('aes-256-gcm', this.#sealKey, iv).setAAD(Buffer.from(purpose));
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return format + Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
  }

  /** Throws FAILED_PRECONDITION when the text was sealed with another key or for another purpose. */
  open(purpose: string, sealed: string): string {
    const bytes = Buffer.from(sealed.slice(format.length), 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#sealKey, bytes.subarray(0, ivBytes)).setAAD(
        Buffer.from(purpose),
      );
      decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
      return Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]).toString('utf8');
    } catch (cause) {
      throw new DragonflyError('FAILED_PRECONDITION', `a stored secret (${purpose}) cannot be decrypted`, {
        cause,
        hint: 'Use the encryption key with which this database was set up.',
      });
    }
  }

  /** What is stored of a token: enough to recognise it, useless to whoever reads the database. 64 hex digits. */
  tokenHash(token: string): string {
    return createHmac('sha256', this.#tokenKey).update(token).digest('hex');
  }
}

function derive(masterKey: Buffer, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, 'dragonfly manager', use, masterKeyBytes));
}

export interface MasterKeySource {
  /** Base64 of 32 bytes; takes precedence. */
  readonly value?: string | undefined;
  /** File with the same; created when absent. */
  readonly file?: string | undefined;
}

/** Without value and file the key lives as long as the process: for databases in memory. */
export async function loadMasterKey({ value, file }: MasterKeySource): Promise<Buffer> {
  if (value !== undefined && value !== '') return decodeKey(value, 'DRAGONFLY_ENCRYPTION_KEY');
  if (file === undefined) return randomBytes(masterKeyBytes);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  try {
    const created = await open(file, 'wx', 0o600);
    try {
      const key = randomBytes(masterKeyBytes);
      await created.writeFile(`${key.toString('base64')}\n`);
      await created.sync();
      return key;
    } finally {
      await created.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  await requirePrivate(file);
  return decodeKey(await readFile(file, 'utf8'), file);
}

async function requirePrivate(file: string): Promise<void> {
  const { mode, uid } = await stat(file);
  if (uid === process.getuid?.()) return chmod(file, mode & 0o700);
  if ((mode & 0o077) === 0) return;
  throw new DragonflyError('CONFIG_INVALID', `the key file ${file} belongs to another user and others can read it`, {
    hint: 'chown it to the user the manager runs as, and chmod 600.',
  });
}

function decodeKey(text: string, source: string): Buffer {
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length === masterKeyBytes) return key;
  throw new DragonflyError('CONFIG_INVALID', `${source} must hold ${masterKeyBytes} bytes in base64`, {
    hint: 'Create one with: head -c 32 /dev/urandom | base64',
  });
}

/** Keys the installation made for itself, the same for all replicas. */
export class InstallationSecrets {
  readonly #database: Database;
  readonly #sealer: Sealer;

  constructor(database: Database, sealer: Sealer) {
    this.#database = database;
    this.#sealer = sealer;
  }

  async read(name: string): Promise<string | undefined> {
    const row = await this.#database.db.selectFrom('secret').selectAll().where('name', '=', name).executeTakeFirst();
    return row && this.#sealer.open(name, row.sealed_value);
  }

  /** The stored secret, or the one `make` gives, stored first; the same for replicas that ask at once. */
  async readOrCreate(name: string, make: () => string | Promise<string>): Promise<string> {
    const known = await this.read(name);
    if (known !== undefined) return known;
    const value = await make();
    try {
      await this.#database.db
        .insertInto('secret')
        .values({ name, sealed_value: this.#sealer.seal(name, value) })
        .execute();
      return value;
    } catch (error) {
      const other = isUniqueViolation(error) ? await this.read(name) : undefined;
      if (other === undefined) throw error;
      return other;
    }
  }

  /** Throws FAILED_PRECONDITION when this database was set up with another key. */
  async checkKey(): Promise<void> {
    await this.readOrCreate('key check', () => 'right key');
  }
}
