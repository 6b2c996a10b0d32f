/** What `dragonfly setup` would change on this node, as data: each file before and after, and the difference as text. */

export interface FileChange {
  /** Absolute. */
  readonly path: string;
  /** Undefined when the file does not exist yet. */
  readonly before: string | undefined;
  readonly after: string;
}

/** Commands with their arguments. */
export interface Takeover {
  readonly written: readonly string[];
  readonly putBack: readonly string[];
}

export interface SetupPlan {
  readonly changes: readonly FileChange[];
  /** What the user must do for the engine to notice the change, one sentence each; empty when it notices by itself. */
  readonly afterwards: readonly string[];
  /** Makes the engine load the changed files. */
  readonly takeover?: Takeover;
  /** Registries that are tried through the proxy with a real request. */
  readonly registries: readonly string[];
}

const contextLines = 2;

/** Line by line, in the format of `diff -u`. Empty when nothing changes. */
export function diffText({ path, before, after }: FileChange): string {
  const [old, now] = [linesOf(before ?? ''), linesOf(after)];
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let same = 0;
  while (same < old.length - start && same < now.length - start && old.at(-1 - same) === now.at(-1 - same)) same += 1;
  if (start === old.length && start === now.length) return '';
  const from = Math.max(0, start - contextLines);
  const tail = Math.min(same, contextLines);
  const lines = [
    ...old.slice(from, start).map((line) => ` ${line}`),
    ...old.slice(start, old.length - same).map((line) => `-${line}`),
    ...now.slice(start, now.length - same).map((line) => `+${line}`),
    ...now.slice(now.length - same, now.length - same + tail).map((line) => ` ${line}`),
  ];
  const size = (all: number): number => all - from - same + tail;
  const place = `@@ -${from + 1},${size(old.length)} +${from + 1},${size(now.length)} @@`;
  return [`--- ${before === undefined ? '/dev/null' : path}`, `+++ ${path}`, place, ...lines, ''].join('\n');
}

function linesOf(text: string): string[] {
  if (text === '') return [];
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
}
