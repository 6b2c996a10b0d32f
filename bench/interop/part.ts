/** One part of a cluster as a process that is started, stopped, killed and replaced by the program of the other kind. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { withDeadline } from '../../src/core/process/lifecycle.ts';
import { waitFor } from '../../test/support/wait-for.ts';

export type Kind = 'ours' | 'original';

export interface PartOptions {
  readonly name: string;
  readonly program: 'manager' | 'scheduler' | 'dfdaemon';
  readonly kind: Kind;
  /** With the original's programs. */
  readonly binaries: string;
  readonly directory: string;
  readonly config: (kind: Kind) => string;
  /** For the first start of each kind: what it is given then, a manager keeps, and the original's stumbles over it later. */
  readonly env?: Readonly<Record<string, string>>;
  /** The part serves. */
  readonly isReady: () => Promise<boolean>;
}

const launchers = fileURLToPath(new URL('../../bin/', import.meta.url));
const stopDeadlineMs = 30_000;
const restartPauseMs = 2_000;

export class Part implements AsyncDisposable {
  readonly #options: PartOptions;
  #kind: Kind;
  #child: ChildProcess | undefined;
  readonly #startedKinds = new Set<Kind>();

  constructor(options: PartOptions) {
    this.#options = options;
    this.#kind = options.kind;
  }

  get name(): string {
    return this.#options.name;
  }

  get kind(): Kind {
    return this.#kind;
  }

  get directory(): string {
    return this.#options.directory;
  }

  /** Of the process that runs. */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.#options.name} does not run`);
    return this.#child.pid;
  }

  /** Of the kind that runs. */
  programPath(program: string): string {
    return join(this.#kind === 'ours' ? launchers : this.#options.binaries, program);
  }

  /**
   * As a supervisor does, one of the original that gives up is started again: it does while no scheduler is active yet, and for a
   * minute after a stop, since its piece port cannot be taken while connections of before linger.
   */
  async start(): Promise<void> {
    const { name, directory, isReady } = this.#options;
    let child = await this.#launch();
    await waitFor(
      `${name} (${this.#kind}) to serve; see ${directory}`,
      async () => {
        if (child.exitCode === null) return isReady();
        if (this.#kind === 'ours') return true;
        await delay(restartPauseMs);
        child = await this.#launch();
        return false;
      },
      120_000,
    );
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}: see ${directory}`);
    this.#startedKinds.add(this.#kind);
  }

  /** As an operator does: it may end what it is doing. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /**
   * The program of the other kind takes its place, with the same addresses and configuration, and what is on the disk.
   * @param between is given the files of the new and of the old configuration.
   */
  async replace(kind: Kind, between?: (config: string, before: string) => Promise<void>): Promise<void> {
    await this.stop();
    const before = await this.#writeConfig();
    this.#kind = kind;
    await between?.(await this.#writeConfig(), before);
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #launch(): Promise<ChildProcess> {
    const { program, directory, env } = this.#options;
    const configPath = await this.#writeConfig();
    await using log = await open(join(directory, `${this.#kind}.log`), 'a');
    const child = spawn(this.programPath(program), ['--config', configPath, '--console'], {
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, ...(this.#startedKinds.has(this.#kind) ? {} : env) },
    });
    this.#child = child;
    return child;
  }

  async #writeConfig(): Promise<string> {
    const { directory, config } = this.#options;
    await mkdir(directory, { recursive: true });
    const path = join(directory, `${this.#kind}.yaml`);
    await writeFile(path, config(this.#kind));
    return path;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    if (await withDeadline(exited, stopDeadlineMs)) return;
    child.kill('SIGKILL');
    await exited;
  }
}
