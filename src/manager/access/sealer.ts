/**
 * Secrets at rest. One master key per installation, outside the database; from it one key per use. What is sealed for
 * one purpose cannot be opened as another, so a copied column does not turn one secret into a different one.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { DragonflyError } from '../../core/errors.ts';
import type { Database } from '../db/database.ts';
import { isUniqueViolation } from '../db/engine.ts';

export const masterKeyBytes = 32;

/** Sealed at the first start; a key that opens it is the right one. */
export const sealedCheck = { name: 'key check', content: 'right key' } as const;

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

  /** The stored form of a token: enough to recognise it, useless to a reader of the database. 64 hex digits. */
  tokenHash(token: string): string {
    return createHmac('sha256', this.#tokenKey).update(token).digest('hex');
  }
}

function derive(masterKey: Buffer, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, 'dragonfly manager', use, masterKeyBytes));
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
}
