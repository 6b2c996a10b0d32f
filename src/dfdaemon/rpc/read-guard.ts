/**
 * Who may get pieces. Most content is open to every node. Content that an origin gave to credentials goes only to hosts
 * that a scheduler has sent for it: they present its ticket with SyncPieces and get a name by which the piece port
 * knows the task. So knowing the id, or the URL it is computed from, is not enough. Content from this machine's
 * loopback goes nowhere else.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { DragonflyError } from '../../core/errors.ts';
import { withDeadline } from '../../core/process/lifecycle.ts';
import { isOwnAddress } from '../../core/net/own-address.ts';
import { reachesLoopback, type Caller } from '../../rpc/server/caller.ts';
import { ticketKey } from '../../rpc/control-key.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { daemonLimits } from '../limits.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import type { TaskStore } from '../storage/task-store.ts';
import type { NodeLocal } from '../task/node-local.ts';

export interface ReadGuardOptions {
  readonly store: TaskStore;
  readonly controlPlane: ControlPlane;
  readonly nodeLocal: NodeLocal;
  /** True when the operator has decided that nobody needs a ticket. */
  readonly openToAll: boolean;
}

interface Asked {
  readonly taskId: string;
  readonly hostId: string;
  readonly ticket: Uint8Array;
}

export class ReadGuard {
  readonly #options: ReadGuardOptions;
  readonly #key = randomBytes(32);
  /** Task ids by the access names that children were given. */
  readonly #told = new LRUCache<string, string>({ max: daemonLimits.toldTaskNames });

  constructor(options: ReadGuardOptions) {
    this.#options = options;
  }

  /** The task as far as this child may know of it. Throws PERMISSION_DENIED. */
  async taskFor(asked: Asked, caller: Caller): Promise<StoredTask | undefined> {
    const { store, nodeLocal } = this.#options;
    const task = store.get(asked.taskId);
    if (!task) return undefined;
    if (!reachesLoopback(caller) && (await nodeLocal.leadsHere(task.identity.url))) return undefined;
    if (this.#isOpen(task) || (await this.#isSent(asked))) return task;
    throw new DragonflyError('PERMISSION_DENIED', `task ${task.id} is for nodes that a scheduler sends for it`, {
      hint: 'Daemons of the original get it where upload.restricted is all.',
    });
  }

  /** The access name at the piece port, given to children that may read the task. Undefined when the id is enough. */
  nameOf(task: StoredTask): string | undefined {
    if (this.#isOpen(task)) return undefined;
    const name = createHmac('sha256', this.#key).update(task.id).digest('hex');
    this.#told.set(name, task.id);
    return name;
  }

  /** @param name that a child presents at the piece port. */
  find(name: string, address: string): StoredTask | undefined {
    const { store, nodeLocal } = this.#options;
    const told = this.#told.get(name);
    const task = store.get(told ?? name);
    if (!task || (told === undefined && !this.#isOpen(task))) return undefined;
    return isOwnAddress(address) || !nodeLocal.means(task.identity.url) ? task : undefined;
  }

  /** Schedulers of the original issue no tickets, so the children they send could never be served otherwise. */
  #isOpen(task: StoredTask): boolean {
    const { openToAll, controlPlane } = this.#options;
    return !task.restricted || openToAll || controlPlane.hasKeylessScheduler;
  }

  async #isSent({ ticket, taskId, hostId }: Asked): Promise<boolean> {
    const key = ticketKey(ticket, { taskId, hostId });
    if (key === undefined) return false;
    const { controlPlane } = this.#options;
    // A scheduler that has just started may send a child before its key has arrived here.
    if (controlPlane.roleOfKey(key) === undefined) await withDeadline(controlPlane.news, daemonLimits.newKeyMs);
    return controlPlane.roleOfKey(key) === 'scheduler';
  }
}
