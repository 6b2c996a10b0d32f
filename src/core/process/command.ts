/** What the entry point passes to a program of the product, to be used instead of the globals of the process. */

type Output = NodeJS.WritableStream & { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined };

export interface CommandIo {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts when the program should end: Ctrl-C, SIGTERM, or the end of the supervisor. */
  readonly signal: AbortSignal;
}

/**
 * @param argv arguments after the program's name.
 * Resolves with the exit code once everything is closed; a thrown DragonflyError becomes its exit code and one sentence.
 */
export type Command = (argv: readonly string[], io: CommandIo) => Promise<number>;
