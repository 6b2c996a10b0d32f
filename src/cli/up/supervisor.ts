/** Restarts services of a local cluster that exit on their own, and reports it. */
import { toDragonflyError } from '../../core/errors.ts';
import { describeExit, type Exit } from './managed-process.ts';
import { crashOf, type LocalCluster, type LocalNode } from './cluster.ts';

/** A service that ends more often than this within the window will not be fixed by another restart. */
const maxRestarts = 5;
const windowMs = 60_000;

export class Supervisor {
  readonly #cluster: LocalCluster;
  readonly #say: (text: string) => void;
  readonly #exitsAtMs = new Map<string, number[]>();
  readonly #restarting = new Map<string, Promise<unknown>>();

  constructor(cluster: LocalCluster, say: (text: string) => void) {
    this.#cluster = cluster;
    this.#say = say;
    cluster.onExit((node, exit) => this.#ended(node, exit));
  }

  /** Resolves when no service is being restarted; the cluster must not be stopped before. */
  async settled(): Promise<void> {
    while (this.#restarting.size > 0) await Promise.allSettled(this.#restarting.values());
  }

  #ended(node: LocalNode, exit: Exit): void {
    if (this.#cluster.closing) return;
    const { name } = node;
    const nowMs = performance.now();
    const recent = [...(this.#exitsAtMs.get(name) ?? []), nowMs].filter((atMs) => nowMs - atMs < windowMs);
    this.#exitsAtMs.set(name, recent);
    if (recent.length > maxRestarts) return this.#cluster.fail(crashOf(node, exit));
    this.#say(`${name} ended with ${describeExit(exit)}; starting it again`);
    const restart = this.#cluster
      .restart(name)
      .then(
        () => this.#say(`${name} is back`),
        (error: unknown) => {
          if (!this.#cluster.closing) this.#cluster.fail(toDragonflyError(error));
        },
      )
      .finally(() => this.#restarting.delete(name));
    this.#restarting.set(name, restart);
  }
}
