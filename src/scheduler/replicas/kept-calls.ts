/** The calls about kept tasks of either kind, and who may make them. */
import { DragonflyError } from '../../core/errors.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import type { KeptFacts, KeptTask } from '../../swarm/replicas/kept-task.ts';
import type { Brain } from '../brain.ts';
import { requireNode, requireOwnHost } from '../hosts/own-host.ts';
import { heldPeerId } from './kept-messages.ts';
import type { ReplicaDesk } from './replica-desk.ts';

interface OfHost {
  readonly hostId: string;
  readonly taskId: string;
}

export class KeptCalls {
  readonly brain: Brain;
  readonly desk: ReplicaDesk;
  readonly #kind: 'persistent' | 'persistent cache';

  constructor(brain: Brain, desk: ReplicaDesk, kind: 'persistent' | 'persistent cache') {
    this.brain = brain;
    this.desk = desk;
    this.#kind = kind;
  }

  /** Throws NOT_FOUND. */
  require(taskId: string): Readonly<KeptTask> {
    const task = this.desk.keeper.get(taskId);
    if (task && (task.facts.object !== undefined) === (this.#kind === 'persistent')) return task;
    throw new DragonflyError('NOT_FOUND', `this scheduler knows no ${this.#kind} task ${taskId}`);
  }

  /** @param facts as reported by the host, with times of this scheduler's clock. */
  started(hostId: string, context: CallContext, facts: (nowMs: number) => KeptFacts): void {
    requireOwnHost(hostId, context, this.brain);
    requireKnown(this.brain, hostId);
    this.desk.run((keeper, nowMs) => keeper.uploadStarted(facts(nowMs), hostId, nowMs));
  }

  async finished(
    { hostId, taskId }: OfHost,
    context: CallContext,
    { waits, facts }: { readonly waits: boolean; readonly facts?: KeptFacts | undefined },
  ): Promise<Readonly<KeptTask>> {
    requireOwnHost(hostId, context, this.brain);
    if (waits) await this.desk.finished(taskId, hostId, context);
    else {
      this.desk.run((keeper, nowMs) => keeper.uploadFinished(taskId, hostId, { waits: false, nowMs, facts }));
      this.desk.showHolders(taskId);
    }
    return this.require(taskId);
  }

  failed({ hostId, taskId }: OfHost, context: CallContext): void {
    requireOwnHost(hostId, context, this.brain);
    this.desk.run((keeper, nowMs) => keeper.uploadFailed(taskId, hostId, nowMs));
  }

  stat(taskId: string, context: CallContext): Readonly<KeptTask> {
    requireNode(context, this.brain);
    const task = this.require(taskId);
    this.desk.showHolders(taskId); // the caller is about to download it
    return task;
  }

  async delete({ hostId, taskId }: OfHost, context: CallContext): Promise<void> {
    requireMayDelete(this.require(taskId), hostId, context, this.brain);
    await this.desk.deleted(taskId);
  }

  statPeer<Message>(
    { taskId, peerId }: { readonly taskId: string; readonly peerId: string },
    context: CallContext,
    messageOf: (task: Readonly<KeptTask>, hostId: string, brain: Brain) => Message | undefined,
  ): Message {
    requireNode(context, this.brain);
    const task = this.require(taskId);
    const host = [...task.replicas.keys()].find((hostId) => heldPeerId(hostId, taskId) === peerId);
    const message = host === undefined ? undefined : messageOf(task, host, this.brain);
    if (!message) throw new DragonflyError('NOT_FOUND', `this scheduler knows no peer ${peerId} of task ${taskId}`);
    return message;
  }

  deletePeer({ hostId, taskId }: OfHost, context: CallContext): void {
    requireOwnHost(hostId, context, this.brain);
    this.desk.run((keeper, nowMs) => keeper.released(taskId, hostId, nowMs));
    this.brain.taskLeft(hostId, taskId);
  }
}

/** The host reports the user; the host itself is identified by the call. */
export function ownerOf(told: string | undefined, hostId: string): string {
  return `${told?.split('@')[0] ?? ''}@${hostId}`;
}

function requireKnown(brain: Brain, hostId: string): void {
  if (brain.hosts.get(hostId)) return;
  throw new DragonflyError('HOST_UNKNOWN', `host ${hostId} is not announced`, {
    hint: 'Announce the host before it imports.',
  });
}

/** Only the host that imported it, on behalf of the same user, and the cluster's operators may delete it. Throws PERMISSION_DENIED. */
function requireMayDelete(task: Readonly<KeptTask>, hostId: string, context: CallContext, brain: Brain): void {
  const { caller } = context;
  if (caller.kind === 'member' && (caller.role === 'manager' || caller.role === 'scheduler')) return;
  if (brain.hosts.get(hostId)) {
    requireOwnHost(hostId, context, brain);
    const { owner } = task.facts;
    if (owner === '' || owner.slice(owner.indexOf('@') + 1) === hostId) return;
  }
  throw new DragonflyError('PERMISSION_DENIED', `task ${task.facts.taskId} was imported by another host`, {
    hint: 'Delete it where it was imported, or at the manager.',
  });
}
