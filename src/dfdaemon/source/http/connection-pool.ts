/** Connections to origins: kept alive, limited per origin and in total; waiters are served in order. */
import { DragonflyError } from '../../../core/errors.ts';
import { onAbort } from '../../../core/process/lifecycle.ts';
import type { HttpConnection } from './http-connection.ts';
import { idleConnectionMs, maxConnections, maxConnectionsPerOrigin, maxWaitingRequests } from '../limits.ts';

interface Acquire {
  /** Throws when this caller may not use a connection that another opened. */
  readonly check: (connection: HttpConnection) => void;
  readonly connect: () => Promise<HttpConnection>;
}

interface IdleConnection {
  readonly connection: HttpConnection;
  readonly timer: NodeJS.Timeout;
}

interface Waiter {
  readonly key: string;
  readonly wake: PromiseWithResolvers<void>;
}

export class ConnectionPool {
  /** Open connections by origin, including those that are being opened. */
  readonly #open = new Map<string, number>();
  readonly #idle = new Map<string, IdleConnection[]>();
  readonly #waiting: Waiter[] = [];
  #total = 0;
  #closed = false;

  async acquire(
    key: string,
    signal: AbortSignal,
    { check, connect }: Acquire,
  ): Promise<{ connection: HttpConnection; reused: boolean }> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#closed) throw new DragonflyError('CANCELLED', 'the service is shutting down');
      const idle = this.#takeIdle(key);
      if (idle) {
        try {
          check(idle);
          return { connection: idle, reused: true };
        } catch (error) {
          idle.destroy();
          throw error;
        }
      }
      if (
        (this.#open.get(key) ?? 0) < maxConnectionsPerOrigin &&
        (this.#total < maxConnections || this.#closeOneIdle())
      )
        break;
      await this.#wait(key, signal);
    }
    this.#count(key, 1);
    let connection: HttpConnection;
    try {
      connection = await connect();
    } catch (error) {
      this.#count(key, -1);
      throw error;
    }
    connection.onClose = () => {
      this.#forgetIdle(key, connection);
      this.#count(key, -1);
    };
    connection.onIdle = () => this.#keep(key, connection);
    if (this.#closed) connection.destroy();
    return { connection, reused: false };
  }

  /** Closes the idle connections of an origin that has just closed one, because the others are as old. */
  dropIdle(key: string): void {
    for (const { connection } of this.#idle.get(key)?.slice() ?? []) connection.destroy();
  }

  close(): void {
    this.#closed = true;
    for (const key of this.#idle.keys()) this.dropIdle(key);
    for (const { wake } of this.#waiting.splice(0)) wake.resolve();
  }

  #takeIdle(key: string): HttpConnection | undefined {
    const entry = this.#idle.get(key)?.pop();
    if (!entry) return undefined;
    clearTimeout(entry.timer);
    return entry.connection;
  }

  #keep(key: string, connection: HttpConnection): void {
    if (this.#closed) return connection.destroy();
    const timer = setTimeout(() => connection.destroy(), idleConnectionMs).unref();
    const list = this.#idle.get(key) ?? [];
    list.push({ connection, timer });
    this.#idle.set(key, list);
    this.#wakeOne(key);
  }

  #forgetIdle(key: string, connection: HttpConnection): void {
    const list = this.#idle.get(key);
    const index = list?.findIndex((entry) => entry.connection === connection) ?? -1;
    if (list && index >= 0) clearTimeout(list.splice(index, 1)[0]?.timer);
    if (list?.length === 0) this.#idle.delete(key);
  }

  #closeOneIdle(): boolean {
    for (const list of this.#idle.values()) {
      if (!list[0]) continue;
      list[0].connection.destroy();
      return true;
    }
    return false;
  }

  #count(key: string, change: 1 | -1): void {
    const count = (this.#open.get(key) ?? 0) + change;
    if (count === 0) this.#open.delete(key);
    else this.#open.set(key, count);
    this.#total += change;
    if (change < 0) this.#wakeOne(key);
  }

  /** There is a free place: the longest waiting request that can use it tries again. */
  #wakeOne(key: string): void {
    const index = this.#waiting.findIndex(
      (waiter) => waiter.key === key || (this.#open.get(waiter.key) ?? 0) < maxConnectionsPerOrigin,
    );
    if (index >= 0) this.#waiting.splice(index, 1)[0]?.wake.resolve();
  }

  async #wait(key: string, signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= maxWaitingRequests) {
      throw new DragonflyError(
        'RESOURCE_EXHAUSTED',
        `more than ${maxWaitingRequests} requests wait for a connection to an origin`,
        {
          hint: 'Try again later, or lower the number of parallel downloads.',
        },
      );
    }
    const waiter: Waiter = { key, wake: Promise.withResolvers<void>() };
    this.#waiting.push(waiter);
    using _leaving = onAbort(signal, () => {
      const index = this.#waiting.indexOf(waiter);
      if (index >= 0) this.#waiting.splice(index, 1);
      else this.#wakeOne(key); // woken and aborted at the same time: the next waiter gets the place
      waiter.wake.resolve();
    });
    await waiter.wake.promise;
  }
}
