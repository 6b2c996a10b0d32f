/** The parents of a simulated daemon: its requests to them go over a network with latency. */
import type { ExchangeEffect } from '../swarm/peer/download/effects.ts';
import type { SimulatedDaemon } from './simulated-daemon.ts';
import type { Upload } from './simulated-uploads.ts';

/** A request that receives nothing for this long is given up by the transport. */
const requestTimeoutMs = 5000;

export class SimulatedParents {
  readonly #daemon: SimulatedDaemon;
  /** The parents that the machine listens to. */
  readonly #parents = new Map<string, SimulatedDaemon>();

  constructor(daemon: SimulatedDaemon) {
    this.#daemon = daemon;
  }

  run(effect: ExchangeEffect): void {
    switch (effect.kind) {
      case 'sync-with-parent':
        return this.#connect(effect.parentId);
      case 'ask-parent':
        return this.#askAlive(effect.parentId);
      case 'leave-parent': {
        const parent = this.#parents.get(effect.parentId);
        this.#parents.delete(effect.parentId);
        if (parent) this.#leave(effect.parentId, parent);
        return;
      }
      case 'request-piece':
        return this.#ask(effect.parentId, effect.piece);
      case 'cancel-piece':
        return this.#parents.get(effect.parentId)?.uploads.cancel(this.#daemon, effect.piece);
    }
  }

  leaveAll(): void {
    for (const [parentId, parent] of this.#parents) this.#leave(parentId, parent);
    this.#parents.clear();
  }

  /** The parent's process has died; the machine may try to connect again. */
  streamBroke(parentId: string): void {
    this.#daemon.take({ kind: 'parent-stream-ended', parentId, end: 'broke' });
  }

  /** A parent that has restarted since knows nothing of the old connection. */
  #leave(parentId: string, parent: SimulatedDaemon): void {
    if (parent.peerId === parentId) parent.uploads.childLeft(this.#daemon);
  }

  #connect(parentId: string): void {
    const { scheduler, world, setup } = this.#daemon;
    const parent = this.#parents.get(parentId) ?? scheduler.daemonOf(parentId);
    if (!parent) return;
    this.#parents.set(parentId, parent);
    world.after(world.latencyMs(setup, parent.setup), () => {
      if (this.#parents.get(parentId) !== parent) return;
      if (parent.peerId !== parentId || !parent.alive) this.streamBroke(parentId);
      else parent.uploads.subscribe(this.#daemon);
    });
  }

  #askAlive(parentId: string): void {
    const { world, setup } = this.#daemon;
    const parent = this.#parents.get(parentId);
    if (!parent) return;
    world.after(2 * world.latencyMs(setup, parent.setup), () => {
      if (parent.alive && parent.peerId === parentId) this.#daemon.take({ kind: 'parent-alive', parentId });
    });
  }

  #ask(parentId: string, piece: number): void {
    const { life, peerId: childId, world, setup } = this.#daemon;
    const parent = this.#parents.get(parentId);
    if (!parent) return;
    const patient = world.options.arm !== 'ours';
    const upload: Upload = { childId, taskId: 't', piece, child: this.#daemon, childLife: life, patient };
    world.after(world.latencyMs(setup, parent.setup), () => {
      if (this.#daemon.life !== life || !this.#daemon.alive) return;
      if (!parent.alive || parent.peerId !== parentId) this.streamBroke(parentId);
      else if (!parent.uploads.asked(upload)) this.#daemon.refused(parentId, piece, 'busy', life);
    });
    if (!world.options.faults) return;
    world.after(requestTimeoutMs, () => {
      if (this.#daemon.life !== life || !this.#daemon.isInFlight(parentId, piece)) return;
      parent.uploads.cancel(this.#daemon, piece);
      this.#daemon.refused(parentId, piece, 'temporary', life);
    });
  }
}
