/** What a tool is given by its entry point, with outputs a test can read. */
import { Writable } from 'node:stream';
import type { Command, CommandIo } from '../../src/core/process/command.ts';
import { DragonflyError } from '../../src/core/errors.ts';

export interface ToolRun {
  readonly exitCode: number;
  readonly error: DragonflyError | undefined;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface ToolOptions {
  readonly env?: CommandIo['env'];
  readonly signal?: AbortSignal;
  readonly terminal?: boolean;
  readonly onStdout?: (bytes: Buffer) => void;
}

/** Runs the tool in this process, as the entry point does. */
export async function runTool(command: Command, argv: readonly string[], options: ToolOptions = {}): Promise<ToolRun> {
  const [stdout, stderr] = [new Collector(options.onStdout), new Collector()];
  if (options.terminal) Object.assign(stderr, { isTTY: true, columns: 100 });
  const io: CommandIo = {
    stdin: process.stdin,
    stdout,
    stderr,
    env: options.env ?? {},
    signal: options.signal ?? new AbortController().signal,
  };
  let error: DragonflyError | undefined;
  let exitCode: number;
  try {
    exitCode = await command(argv, io);
  } catch (reason) {
    if (!(reason instanceof DragonflyError)) throw reason;
    error = reason;
    exitCode = reason.mapping.exit;
  }
  return { exitCode, error, stdout: stdout.bytes, stderr: stderr.bytes.toString('utf8') };
}

class Collector extends Writable {
  readonly #parts: Buffer[] = [];
  readonly #onBytes: ((bytes: Buffer) => void) | undefined;

  constructor(onBytes?: (bytes: Buffer) => void) {
    super();
    this.#onBytes = onBytes;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.#parts.push(Buffer.from(bytes));
    this.#onBytes?.(bytes);
    done();
  }
}
