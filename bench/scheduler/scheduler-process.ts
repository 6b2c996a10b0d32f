/** The measured scheduler as a process of its own. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Figures } from './measured-scheduler.ts';

export class SchedulerProcess {
  readonly address: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.address = address;
  }

  static async start(): Promise<SchedulerProcess> {
    const script = fileURLToPath(new URL('measured-scheduler.ts', import.meta.url));
    const child = fork(script, { execArgv: ['--expose-gc'] });
    const [address] = (await once(child, 'message', { signal: AbortSignal.timeout(600_000) })) as [string];
    return new SchedulerProcess(child, address);
  }

  /** Since the last call, or the start. */
  async figures(): Promise<Figures> {
    const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(600_000) });
    this.#child.send('figures');
    return ((await answer) as [Figures])[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
