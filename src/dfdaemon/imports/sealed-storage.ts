/** Stores the settings for a store, credentials included, in encrypted form, with a key that is not kept beside the content. */
import { createKeyFile, readKeyFile } from '../../core/files/key-file.ts';
import { deriveKey, SecretBox } from '../../core/secret-box.ts';
import type { ObjectPlace } from './object-requests.ts';

type Storage = ObjectPlace['storage'];

const purpose = 'object storage';
const lost = 'Put the key file back, or import the file again.';

export class SealedStorage {
  readonly #keyFile: string;
  #box: Promise<SecretBox> | undefined;

  /** @param keyFile created when something is sealed for the first time */
  constructor(keyFile: string) {
    this.#keyFile = keyFile;
  }

  async seal(storage: Storage): Promise<string> {
    return (await this.#opened()).seal(purpose, JSON.stringify(storage));
  }

  /** Throws FAILED_PRECONDITION when it was sealed with another key. */
  async open(sealed: string): Promise<Storage> {
    return JSON.parse((await this.#opened()).open(purpose, sealed)) as Storage;
  }

  #opened(): Promise<SecretBox> {
    this.#box ??= this.#read().catch((error: unknown) => {
      this.#box = undefined;
      throw error;
    });
    return this.#box;
  }

  async #read(): Promise<SecretBox> {
    const key = (await readKeyFile(this.#keyFile)) ?? (await createKeyFile(this.#keyFile));
    return new SecretBox(deriveKey(key, 'dragonfly dfdaemon', 'seal'), lost);
  }
}
