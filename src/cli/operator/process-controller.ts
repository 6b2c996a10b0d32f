/** Runs accounts that are described by files in a directory; their control planes are processes of this machine, with one directory each. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { DirectoryNews } from '../../core/files/directory-news.ts';
import { ownCommand } from '../../core/own-files.ts';
import type { Logger } from '../../core/process/logger.ts';
import { version } from '../../core/version.ts';
import { AccountFiles, settleMs } from './account-files.ts';
import { AccountPlane } from './account-plane.ts';
import { conflict, type Account } from './spec.ts';

export interface ProcessControllerOptions {
  /** The directory of files with P2PManager resources. */
  readonly accounts: string;
  /** The directory that has one directory per account, with all of its data and its `status.json`. */
  readonly stateDirectory: string;
  /** The file `VERSION` in it is the executable of that version. */
  readonly versions: string | undefined;
  readonly logger: Logger;
}

/** Slightly longer, because file times and timers use different clocks. */
const quietMs = settleMs + 50;
/** Needed because not every file system reports changes by others. */
const resyncMs = 30_000;

export class ProcessController {
  readonly #options: ProcessControllerOptions;
  readonly #planes = new Map<string, AccountPlane>();

  constructor(options: ProcessControllerOptions) {
    this.#options = options;
  }

  /** Runs until the signal aborts, which ends all processes; their data stays. */
  async run(signal: AbortSignal): Promise<void> {
    const { logger, stateDirectory } = this.#options;
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    const files = await AccountFiles.open(this.#options.accounts);
    const left = new Set(await readdir(stateDirectory));
    using news = new DirectoryNews(this.#options.accounts);
    while (!signal.aborted) {
      let longestMs = resyncMs;
      try {
        const accounts = await files.read();
        // An account that vanished while this program was not running may just as well be a directory that is not mounted.
        for (const name of left) if (!accounts.has(name)) logger.warn({ name }, 'is kept for no account; delete it');
        left.clear();
        await this.#follow(accounts);
      } catch (error) {
        // Until all files can be read, it is unknown which accounts are gone.
        const { code, message } = toDragonflyError(error);
        logger.warn({ error: message }, 'the accounts cannot be read');
        if (code === 'UNAVAILABLE') longestMs = quietMs;
      }
      await news.next({ settleMs: quietMs, longestMs }, signal);
    }
    await Promise.all([...this.#planes.values()].map((plane) => plane.end()));
  }

  async #follow(accounts: ReadonlyMap<string, Account>): Promise<void> {
    for (const [name, plane] of this.#planes) {
      if (accounts.has(name)) continue;
      this.#planes.delete(name);
      await plane.delete();
      this.#options.logger.info({ account: name }, 'the control plane is gone');
    }
    for (const [name, account] of accounts) {
      let plane = this.#planes.get(name);
      if (!plane) {
        const directory = join(this.#options.stateDirectory, name);
        const command = (image: string, program: string): readonly string[] => this.#command(image, program);
        plane = new AccountPlane({ name, directory, command, logger: this.#options.logger });
        this.#planes.set(name, plane);
      }
      plane.look(account, conflict(account, accounts.values()));
    }
  }

  #command(image: string, program: string): readonly string[] {
    const tag = image.slice(image.lastIndexOf(':') + 1);
    if (this.#options.versions !== undefined) return [join(this.#options.versions, tag), program];
    if (tag === `v${version}`) return ownCommand(program);
    throw new DragonflyError('INVALID_ARGUMENT', `there is no executable of ${tag}`, {
      hint: 'Name the directory of them with --versions.',
    });
  }
}
