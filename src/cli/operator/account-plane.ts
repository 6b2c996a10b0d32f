/** One account on this machine: its desired state, and the steps that lead to it, one at a time. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { toDragonflyError, type DragonflyError } from '../../core/errors.ts';
import { writeWholeFile } from '../../core/files/whole-file.ts';
import type { Logger } from '../../core/process/logger.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import { AccountProcesses, type AccountProcessesOptions } from './account-processes.ts';
import { planProcesses, processStates, wantedProcesses } from './process-plan.ts';
import { statusSchema, type Account } from './spec.ts';
import { statusOf, type Outcome } from './status.ts';

interface AccountPlaneOptions extends Omit<AccountProcessesOptions, 'onExit'> {
  readonly name: string;
  readonly logger: Logger;
}

interface Wish {
  readonly account: Account;
  readonly conflict: Outcome['planned']['refusal'];
}

export class AccountPlane {
  readonly #options: AccountPlaneOptions;
  readonly #ending = new AbortController();
  #wish: Wish | undefined;
  #processes: AccountProcesses | undefined;
  #working: Promise<void> | undefined;
  #told: object | undefined;

  constructor(options: AccountPlaneOptions) {
    this.#options = options;
  }

  look(account: Account, conflict: Wish['conflict']): void {
    this.#wish = { account, conflict };
    this.#working ??= this.#work(this.#ending.signal);
  }

  async end(): Promise<void> {
    this.#ending.abort();
    await this.#working;
    await this.#processes?.[Symbol.asyncDispose]();
  }

  async delete(): Promise<void> {
    await this.end();
    await this.#processes?.delete();
  }

  /** Runs until nothing is left to do, including what is requested meanwhile. Never throws. */
  async #work(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted && this.#wish !== undefined;) {
      const wish = this.#wish;
      try {
        const hasWorked = await this.#step(wish, signal);
        failures = 0;
        if (!hasWorked && wish === this.#wish) break;
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        const { name, logger } = this.#options;
        logger.warn({ account: name, error: toDragonflyError(error).message }, 'the control plane is not as specified');
        await delay(backOffMs(failures), undefined, { signal }).catch(() => undefined);
      }
    }
    this.#working = undefined;
  }

  /** @returns whether there was anything to do. */
  async #step({ account, conflict }: Wish, signal: AbortSignal): Promise<boolean> {
    const { directory, command } = this.#options;
    this.#processes ??= await AccountProcesses.open({ directory, command, onExit: () => this.#ended() });
    const { spec, fault } = account;
    const refusal = spec ? conflict : { reason: 'InvalidSpec', message: fault ?? '' };
    if (!spec || refusal) {
      await this.#tell(account, { planned: { actions: [], waiting: [], refusal }, failure: undefined });
      return false;
    }
    const planned = planProcesses(wantedProcesses(spec), this.#processes.observed());
    await this.#tell(account, { planned, failure: undefined });
    let failure: DragonflyError | undefined;
    for (const action of planned.actions) {
      if (signal.aborted) return false;
      const { name, logger } = this.#options;
      try {
        await this.#processes.carryOut(action, signal);
        logger.info(
          { account: name, did: action.do, what: 'process' in action ? action.process.name : action.name },
          'the control plane has been changed',
        );
      } catch (error) {
        // The others do not wait for the one that failed.
        failure ??= toDragonflyError(error);
      }
    }
    if (failure === undefined) return planned.actions.length > 0;
    await this.#tell(account, { planned, failure: failure.message });
    throw failure;
  }

  #ended(): void {
    if (this.#wish && !this.#ending.signal.aborted) this.look(this.#wish.account, this.#wish.conflict);
  }

  async #tell(account: Account, outcome: Pick<Outcome, 'planned' | 'failure'>): Promise<void> {
    const { directory } = this.#options;
    const processes = this.#processes;
    if (!processes) return;
    const states = processStates(account.spec ? wantedProcesses(account.spec) : [], processes.observed());
    const before = this.#told === undefined ? undefined : statusSchema.parse(this.#told);
    const status = statusOf(
      { ...account, status: before },
      { ...outcome, states, endpoints: processes.endpoints(), now: new Date() },
    );
    if (isDeepStrictEqual(status, this.#told)) return;
    this.#told = status;
    await writeWholeFile(join(directory, 'status.json'), `${JSON.stringify(status, undefined, 2)}\n`, { mode: 0o600 });
  }
}
