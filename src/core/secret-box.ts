/**
 * Encrypts secrets at rest with a key that is stored elsewhere. A secret sealed for one purpose cannot be opened for
 * another, so copying a column does not turn one secret into a different one.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { DragonflyError } from './errors.ts';

export const masterKeyBytes = 32;

const cipherName = 'aes-256-gcm';
const ivBytes = 12;
const tagBytes = 16;
const format = 'v1.';

export class SecretBox {
  readonly #key: Buffer;
  readonly #hint: string;

  /** @param hint what to do when something was sealed with another key */
  constructor(key: Buffer, hint: string) {
    this.#key = key;
    this.#hint = hint;
  }

  seal(purpose: string, secret: string): string {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv(cipherName, this.#key, iv).setAAD(Buffer.from(purpose));
    const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return format + Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
  }

  /** Throws FAILED_PRECONDITION when the text was sealed with another key or for another purpose. */
  open(purpose: string, sealed: string): string {
    const bytes = Buffer.from(sealed.slice(format.length), 'base64');
    try {
      const iv = bytes.subarray(0, ivBytes);
      const decipher = createDecipheriv(cipherName, this.#key, iv).setAAD(Buffer.from(purpose));
      decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
      return Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]).toString('utf8');
    } catch (cause) {
      throw new DragonflyError('FAILED_PRECONDITION', `a stored secret (${purpose}) cannot be decrypted`, {
        cause,
        hint: this.#hint,
      });
    }
  }
}

/** One key per owner and use. */
export function deriveKey(masterKey: Buffer, owner: string, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, owner, use, masterKeyBytes));
}
