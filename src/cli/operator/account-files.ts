/** Reads accounts from files. An account that is missing here loses everything that is kept for it, so any doubt is an error. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { DragonflyError } from '../../core/errors.ts';
import { kind, parseAccount, type Account } from './spec.ts';

/** A file changed more recently than this may be half written. */
export const settleMs = 1_000;

export class AccountFiles {
  readonly #directory: string;
  readonly #identity: string;

  static async open(directory: string): Promise<AccountFiles> {
    try {
      return new AccountFiles(directory, await identityOf(directory));
    } catch (error) {
      throw new DragonflyError('INVALID_ARGUMENT', `${directory} cannot be read`, {
        hint: 'Name the directory of the accounts.',
        cause: error,
      });
    }
  }

  private constructor(directory: string, identity: string) {
    this.#directory = directory;
    this.#identity = identity;
  }

  /**
   * The accounts by name. Throws CONFIG_INVALID for a file that does not say which accounts it describes, UNAVAILABLE while that
   * may be temporary.
   */
  async read(): Promise<ReadonlyMap<string, Account>> {
    const files = (await readdir(this.#directory)).filter((name) => /\.(?:ya?ml|json)$/.test(name)).sort();
    const accounts = new Map<string, Account>();
    for (const file of files) {
      const path = join(this.#directory, file);
      if (Math.abs(Date.now() - (await stat(path)).mtimeMs) < settleMs)
        throw new DragonflyError('UNAVAILABLE', `${file} is being written`);
      for (const account of accountsIn(file, await readFile(path, 'utf8'))) {
        const { name } = account.metadata;
        if (accounts.has(name))
          throw new DragonflyError('CONFIG_INVALID', `${file}: the account ${name} is there twice`);
        accounts.set(name, account);
      }
    }
    // An unmounted file system leaves an empty directory behind.
    if ((await identityOf(this.#directory)) !== this.#identity)
      throw new DragonflyError('UNAVAILABLE', `${this.#directory} is another directory than at the start`, {
        hint: 'Start the operator again if it is to be the one.',
      });
    return accounts;
  }
}

async function identityOf(directory: string): Promise<string> {
  const { dev, ino } = await stat(directory);
  return `${dev}:${ino}`;
}

function accountsIn(file: string, text: string): Account[] {
  const documents = [...parseAllDocuments(text)];
  if (documents.length === 0)
    throw new DragonflyError('CONFIG_INVALID', `${file} is empty; to end an account, remove it`);
  return documents.map((document) => {
    const [fault] = document.errors;
    if (fault) throw new DragonflyError('CONFIG_INVALID', `${file}: ${fault.message}`);
    const value = document.toJS() as { kind?: unknown; metadata?: { name?: unknown }; spec?: unknown } | null;
    const name = value?.metadata?.name;
    if (value?.kind !== kind || typeof name !== 'string' || !/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
      throw new DragonflyError('CONFIG_INVALID', `${file} holds something else than a ${kind} with a name`);
    // The generation changes with the spec.
    const generation = createHash('sha256')
      .update(JSON.stringify(value.spec ?? {}))
      .digest()
      .readUIntBE(0, 6);
    return parseAccount({ metadata: { name, uid: name, generation }, spec: value.spec });
  });
}
