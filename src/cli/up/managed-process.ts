/**
 * A service as a child process: started, ready, ended, with the tail of what it printed.
 *
 * The child gets its own process group, so that Ctrl-C in a terminal reaches only its owner, who ends the children in
 * order. Its standard input is a pipe from us: when we are killed the pipe closes and the child ends by itself.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { DragonflyError } from '../../core/errors.ts';
import { onAbort, withDeadline } from '../../core/process/lifecycle.ts';
import { ownCommand } from '../../core/own-files.ts';
import { parseReadyLine, type ReadyAddresses } from '../../core/process/ready.ts';

const readyFd = 3;
const tailLimitLines = 400;

export interface ManagedProcessOptions {
  /** Words to put before the command, for example to run it on another host. */
  readonly enter?: readonly string[];
  /** The name shown in messages, e.g. `peer-2`. */
  readonly name: string;
  /** A program of the product (`dfdaemon`). */
  readonly program: string;
  /** The command that starts it, if it is not the running product itself. */
  readonly command?: readonly string[] | undefined;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A file for every line of standard output and error; existing files are appended to. */
  readonly logPath?: string;
  readonly readyDeadlineMs?: number;
  /** Aborting it while the service starts ends the service; afterwards it has no effect. */
  readonly signal?: AbortSignal | undefined;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ManagedProcess {
  readonly name: string;
  /** Resolves when the process has ended, for whatever reason; never rejects. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #tail: string[] = [];
  readonly #log: WriteStream | undefined;
  #addresses: ReadyAddresses = {};
  #ended: Exit | undefined;

  /** Resolves when the service has announced its addresses; rejects with its last lines when it ends or takes too long. */
  static async start(options: ManagedProcessOptions): Promise<ManagedProcess> {
    const { signal, readyDeadlineMs = 120_000 } = options;
    signal?.throwIfAborted();
    const managed = new ManagedProcess(options);
    using _stopping = onAbort(signal, () => managed.kill('SIGTERM'));
    await managed.#becomeReady(readyDeadlineMs);
    return managed;
  }

  private constructor({ name, program, command, args, cwd, env, logPath, enter = [] }: ManagedProcessOptions) {
    this.name = name;
    this.#log = logPath === undefined ? undefined : createWriteStream(logPath, { flags: 'a' });
    // A full disk must not end the supervisor as well; the last lines stay in memory.
    this.#log?.on('error', () => undefined);
    const [first = program, ...before] = [...enter, ...(command ?? ownCommand(program))];
    this.#child = spawn(first, [...before, ...args, '--ready-fd', String(readyFd)], {
      cwd,
      env: { ...process.env, ...env, DRAGONFLY_SUPERVISED: '1' },
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#keep(line));
    }
    // A failed write to a child that has exited needs no report: `exited` covers it.
    this.#child.stdin?.on('error', () => undefined);
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit): void => {
        this.#ended ??= exit;
        resolve(this.#ended);
      };
      this.#child.once('error', (error) => {
        this.#keep(error.message);
        end({ code: 127, signal: null });
      });
      this.#child.once('close', (code, signal) => {
        this.#log?.end();
        end({ code, signal });
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#ended === undefined;
  }

  /** As announced when the service became ready. */
  get addresses(): ReadyAddresses {
    return this.#addresses;
  }

  /** The announced address of a listener; throws INTERNAL when the service has none of that name. */
  address(listener: string): string {
    const address = this.#addresses[listener];
    if (address === undefined) {
      const known = Object.keys(this.#addresses).join(', ');
      throw new DragonflyError('INTERNAL', `${this.name} announced no address "${listener}" (only: ${known})`);
    }
    return address;
  }

  /** The last lines of standard output and error, oldest first. */
  tail(lines = 20): string {
    return this.#tail.slice(-lines).join('\n');
  }

  kill(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal);
  }

  /** Sends SIGTERM, and SIGKILL when the process has not ended by the deadline. */
  async stop(deadlineMs = 10_000): Promise<Exit> {
    this.kill('SIGTERM');
    if (!(await withDeadline(this.exited, deadlineMs))) this.kill('SIGKILL');
    return this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #keep(line: string): void {
    this.#tail.push(line);
    this.#log?.write(`${line}\n`);
    if (this.#tail.length > tailLimitLines) this.#tail.shift();
  }

  async #becomeReady(deadlineMs: number): Promise<void> {
    const pipe = this.#child.stdio[readyFd] as NodeJS.ReadableStream;
    const lines = createInterface({ input: pipe });
    const ready = once(lines, 'line', { signal: AbortSignal.timeout(deadlineMs) }).then(([line]) => {
      this.#addresses = parseReadyLine(line as string) ?? {};
      return true;
    });
    const outcome = await Promise.race([ready.catch(() => false), this.exited]);
    lines.close();
    if (outcome === true) return;
    const why =
      outcome === false
        ? `was not ready within ${deadlineMs / 1000} s`
        : `ended at start with ${describeExit(outcome)}`;
    this.kill('SIGKILL');
    throw new DragonflyError('UNAVAILABLE', `${this.name} ${why}\n${lastWords(this.tail())}`);
  }
}

export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}

/** The final sentence that a program printed, and its hint; all of its output when there is none. */
function lastWords(printed: string): string {
  const lines = printed.split('\n');
  const start = lines.findLastIndex((line) => /^[a-z]+: /.test(line) && !line.startsWith('hint: '));
  return start < 0 ? printed : lines.slice(start).join('\n');
}
