/**
 * Signatures of published versions: Ed25519 over name, version and digest of the manifest, so that a signed version
 * cannot be passed off under another name. Keys are PEM, as written by `openssl genpkey -algorithm ed25519`; on the
 * wire a public key is its 32 bytes in base64.
 */
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DragonflyError, toDragonflyError } from '../errors.ts';

export interface SignedRelease {
  readonly name: string;
  readonly version: string;
  /** `sha256:…` */
  readonly manifestDigest: string;
}

/** Content of a version that is being published. */
export interface SignedPack {
  readonly name: string;
  readonly version: string;
  readonly taskId: string;
}

export interface ReleaseSignature {
  readonly publicKey: string;
  readonly signature: string;
}

const rawKeyBytes = 32;
/** Prefix of the 32 bytes in SubjectPublicKeyInfo (RFC 8410). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

export function signRelease(release: SignedRelease, key: KeyObject): ReleaseSignature {
  return signStatement(statementOf(release), key);
}

export function signPack(pack: SignedPack, key: KeyObject): ReleaseSignature {
  return signStatement(packStatementOf(pack), key);
}

export function isSignedBy(release: SignedRelease, signature: ReleaseSignature): boolean {
  return isStatementOf(signature, statementOf(release));
}

export function isPackSignedBy(pack: SignedPack, signature: ReleaseSignature): boolean {
  return isStatementOf(signature, packStatementOf(pack));
}

function signStatement(statement: Buffer, key: KeyObject): ReleaseSignature {
  const publicKey = rawOf(createPublicKey(key));
  return { publicKey, signature: sign(null, statement, key).toString('base64') };
}

function isStatementOf({ publicKey, signature }: ReleaseSignature, statement: Buffer): boolean {
  const raw = Buffer.from(publicKey, 'base64');
  if (raw.length !== rawKeyBytes || raw.toString('base64') !== publicKey) return false;
  const key = createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: 'der', type: 'spki' });
  return verify(null, statement, key, Buffer.from(signature, 'base64'));
}

/** Throws INVALID_ARGUMENT. */
export async function readSigningKey(path: string): Promise<KeyObject> {
  return readKey(path, 'private', (pem) => createPrivateKey(pem));
}

/** Its 32 bytes in base64. Throws INVALID_ARGUMENT. */
export async function readRequiredKey(path: string): Promise<string> {
  return rawOf(await readKey(path, 'public', (pem) => createPublicKey(pem)));
}

async function readKey(path: string, kind: string, parse: (pem: string) => KeyObject): Promise<KeyObject> {
  const hint = 'Make one with "openssl genpkey -algorithm ed25519", and its public part with "openssl pkey -pubout".';
  let key: KeyObject;
  try {
    key = parse(await readFile(path, 'utf8'));
  } catch (error) {
    const { message } = toDragonflyError(error);
    throw new DragonflyError('INVALID_ARGUMENT', `${path} is no ${kind} key: ${message}`, { cause: error, hint });
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new DragonflyError('INVALID_ARGUMENT', `${path} is a key of ${key.asymmetricKeyType ?? 'no kind'}`, { hint });
}

function rawOf(key: KeyObject): string {
  return key.export({ format: 'der', type: 'spki' }).subarray(spkiPrefix.length).toString('base64');
}

function statementOf({ name, version, manifestDigest }: SignedRelease): Buffer {
  return Buffer.from(`dragonfly release 1\n${name}\n${version}\n${manifestDigest}\n`);
}

function packStatementOf({ name, version, taskId }: SignedPack): Buffer {
  return Buffer.from(`dragonfly release content 1\n${name}\n${version}\n${taskId}\n`);
}
