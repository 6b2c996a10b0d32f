/** The operator's command that runs after a switch, for example to make an inference server load the new version. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { DragonflyError } from '../../core/errors.ts';
import { deadlineSignal, onAbort } from '../../core/process/lifecycle.ts';
import { formatDurationMs } from '../../core/units.ts';

export interface HookOrder {
  readonly command: string;
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly release: { readonly name: string; readonly version: string; readonly previous: string };
  /** The directory of the version, and the link that points to it. */
  readonly directory: string;
  readonly link: string;
}

/** Throws FAILED_PRECONDITION when the command fails; after that no process of it runs any more. */
export async function runHook(order: HookOrder, signal: AbortSignal): Promise<void> {
  const { command, timeoutMs, env, release, directory, link } = order;
  using deadline = deadlineSignal(signal, timeoutMs);
  const child = spawn('/bin/sh', ['-c', command], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true, // a process group of its own, so that it can be ended as a whole
    env: {
      ...env,
      DRAGONFLY_NAME: release.name,
      DRAGONFLY_VERSION: release.version,
      DRAGONFLY_PREVIOUS_VERSION: release.previous,
      DRAGONFLY_DIRECTORY: directory,
      DRAGONFLY_LINK: link,
    },
  });
  const ended = once(child, 'close') as Promise<[number | null, string | null]>;
  using _ending = onAbort(deadline.signal, () => endGroup(child.pid));
  const [code, killedBy] = await ended.catch((cause: unknown): never => {
    throw failed('could not be started', cause);
  });
  signal.throwIfAborted();
  if (deadline.signal.aborted) throw failed(`did not end within ${formatDurationMs(timeoutMs)}`);
  if (code !== 0) throw failed(killedBy === null ? `ended with status ${code}` : `was ended by ${killedBy}`);
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended by itself
  }
}

function failed(what: string, cause?: unknown): DragonflyError {
  return new DragonflyError('FAILED_PRECONDITION', `the command given with --exec ${what}`, {
    cause,
    hint: 'It is run again with the next start, and with the next version.',
  });
}
