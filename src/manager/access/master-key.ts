/**
 * The master key of an installation, from which all others are derived. It is never stored unencrypted in the database,
 * so all managers of one database need it: from the environment, from a file, or from the database, wrapped by a secret
 * that they share. Where the first manager got it is recorded, so that the next one can say what is missing.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { DragonflyError } from '../../core/errors.ts';
import { createKeyFile, decodeKey, readKeyFile } from '../../core/files/key-file.ts';
import { masterKeyBytes } from '../../core/secret-box.ts';
import type { Database } from '../db/database.ts';
import { isUniqueViolation } from '../db/engine.ts';
import { sealedCheck, Sealer } from './sealer.ts';

export interface MasterKeySource {
  /** Base64 of 32 bytes; takes precedence. */
  readonly value?: string | undefined;
  /** Shared by the managers: wraps the key, which is then stored in the database. */
  readonly secret?: string | undefined;
  /** File with the same content as `value`; created when neither the file nor any secret in the database exists. */
  readonly file?: string | undefined;
}

/** Rows of the secret table that are not sealed with the master key itself. */
const wrappedKeyRow = 'wrapped master key';
const placeRow = 'master key place';

/** A wrapped key can be brute-forced in a copy of the database, so the secret must not be guessable. */
const minSecretLength = 16;
const wrapFormat = 'scrypt.';
const [saltBytes, ivBytes, tagBytes] = [16, 12, 16];

/** The sealer of this database. Throws CONFIG_INVALID, FAILED_PRECONDITION when its secrets were sealed with another key. */
export async function openSealer(database: Database, source: MasterKeySource): Promise<Sealer> {
  const { key, place } = await masterKey(database, source);
  const sealer = new Sealer(key);
  const stored = await insertOnce(database, sealedCheck.name, sealer.seal(sealedCheck.name, sealedCheck.content));
  try {
    sealer.open(sealedCheck.name, stored);
  } catch (cause) {
    throw await otherKey(database, source, cause);
  }
  await insertOnce(database, placeRow, place);
  return sealer;
}

interface MasterKey {
  readonly key: Buffer;
  readonly place: string;
}

async function masterKey(database: Database, { value, secret, file }: MasterKeySource): Promise<MasterKey> {
  const host = hostname();
  if (value !== undefined && value !== '') {
    return { key: decodeKey(value, 'DRAGONFLY_ENCRYPTION_KEY'), place: `DRAGONFLY_ENCRYPTION_KEY on ${host}` };
  }
  if (secret !== undefined && secret !== '') {
    return {
      key: await wrappedKey(database, secret, file),
      place: 'the database, wrapped by DRAGONFLY_ENCRYPTION_SECRET',
    };
  }
  if (file === undefined) return { key: randomBytes(masterKeyBytes), place: `the memory of a manager on ${host}` };
  const place = `${host}:${file}`;
  const known = await readKeyFile(file);
  if (known) return { key: known, place };
  // A new key could not open the existing secrets, and would be taken for the right one at the next start.
  if (await readRow(database, sealedCheck.name)) throw await otherKey(database, { file });
  return { key: await createKeyFile(file), place };
}

async function otherKey(database: Database, source: MasterKeySource, cause?: unknown): Promise<DragonflyError> {
  const { value, secret, file } = source;
  const place = (await readRow(database, placeRow)) ?? 'the manager that set this database up';
  const given = value ? 'DRAGONFLY_ENCRYPTION_KEY' : secret ? 'DRAGONFLY_ENCRYPTION_SECRET' : file;
  const remedy = place.includes(':/')
    ? `Copy ${place} to ${file ?? 'a file named by server.encryptionKeyFile'} on this host (mode 0600), or put its content into DRAGONFLY_ENCRYPTION_KEY.`
    : 'Give this manager the same variable.';
  return new DragonflyError(
    'FAILED_PRECONDITION',
    `the secrets of this database were sealed with the key in ${place}, and ${given ?? 'this manager'} does not hold it`,
    { cause, hint: `${remedy} docs/operate.md tells how to run two managers.` },
  );
}

/** The key in the database. The first manager stores it, taking it from its key file if there is one. */
async function wrappedKey(database: Database, secret: string, file: string | undefined): Promise<Buffer> {
  if (secret.length < minSecretLength) {
    throw new DragonflyError(
      'CONFIG_INVALID',
      `DRAGONFLY_ENCRYPTION_SECRET must have ${minSecretLength} characters or more`,
      { hint: 'Create one with: head -c 32 /dev/urandom | base64' },
    );
  }
  let wrapped = await readRow(database, wrappedKeyRow);
  if (wrapped === undefined) {
    const key = file === undefined ? undefined : await readKeyFile(file);
    const check = await readRow(database, sealedCheck.name);
    if (check !== undefined && !(key && opens(key, check))) throw await otherKey(database, { secret, file });
    wrapped = await insertOnce(database, wrappedKeyRow, await wrap(secret, key ?? randomBytes(masterKeyBytes)));
  }
  try {
    return await unwrap(secret, wrapped);
  } catch (cause) {
    throw await otherKey(database, { secret }, cause);
  }
}

function opens(key: Buffer, check: string): boolean {
  try {
    return new Sealer(key).open(sealedCheck.name, check) === sealedCheck.content;
  } catch {
    return false;
  }
}

async function wrap(secret: string, key: Buffer): Promise<string> {
  const [salt, iv] = [randomBytes(saltBytes), randomBytes(ivBytes)];
  const cipher = createCipheriv('aes-256-gcm', await wrappingKey(secret, salt), iv);
  const sealed = Buffer.concat([cipher.update(key), cipher.final()]);
  return wrapFormat + Buffer.concat([salt, iv, cipher.getAuthTag(), sealed]).toString('base64');
}

async function unwrap(secret: string, wrapped: string): Promise<Buffer> {
  const bytes = Buffer.from(wrapped.slice(wrapFormat.length), 'base64');
  const [tagAt, sealedAt] = [saltBytes + ivBytes, saltBytes + ivBytes + tagBytes];
  const key = await wrappingKey(secret, bytes.subarray(0, saltBytes));
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(saltBytes, tagAt));
  decipher.setAuthTag(bytes.subarray(tagAt, sealedAt));
  return Buffer.concat([decipher.update(bytes.subarray(sealedAt)), decipher.final()]);
}

function wrappingKey(secret: string, salt: Buffer): Promise<Buffer> {
  return promisify<string, Buffer, number, Buffer>(scrypt)(secret, salt, masterKeyBytes);
}

async function readRow({ db }: Database, name: string): Promise<string | undefined> {
  const row = await db.selectFrom('secret').select('sealed_value').where('name', '=', name).executeTakeFirst();
  return row?.sealed_value;
}

/** The text stored under the name: the given one, unless another manager was first. */
async function insertOnce(database: Database, name: string, text: string): Promise<string> {
  const known = await readRow(database, name);
  if (known !== undefined) return known;
  try {
    await database.db.insertInto('secret').values({ name, sealed_value: text }).execute();
    return text;
  } catch (error) {
    const other = isUniqueViolation(error) ? await readRow(database, name) : undefined;
    if (other === undefined) throw error;
    return other;
  }
}
