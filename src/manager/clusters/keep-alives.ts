/**
 * Keep-alive streams of members. The first message makes the row active; the end of the last stream makes it inactive;
 * heartbeats in between are collected and written once a second, so that a thousand members cost one statement.
 *
 * A replica that shuts down leaves its members active: they return through another replica, or time out.
 */
import { DragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { keepAliveFlushMs, maxKeepAliveStreams } from '../limits.ts';
import type { MemberKey, MemberKind, Members } from './members.ts';

export interface KeepAlive {
  /** A message came. */
  beat(): void;
  /** The stream ended. */
  end(): Promise<void>;
}

interface LiveMember {
  readonly kind: MemberKind;
  readonly id: number;
  streams: number;
  beaten: boolean;
}

export class KeepAlives implements Closable {
  readonly #members: Members;
  readonly #owner: string;
  readonly #logger: Logger;
  readonly #live = new Map<string, LiveMember>();
  #streams = 0;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  #closing = false;

  constructor(members: Members, owner: string, logger: Logger) {
    this.#members = members;
    this.#owner = owner;
    this.#logger = logger;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#flushing ??= this.#flush().finally(() => (this.#flushing = undefined));
    }, keepAliveFlushMs);
    this.#timer.unref();
  }

  /** Throws NOT_FOUND when the member has not registered, RESOURCE_EXHAUSTED when there are too many streams. */
  async open(kind: MemberKind, key: MemberKey): Promise<KeepAlive> {
    if (this.#streams >= maxKeepAliveStreams) {
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'this manager holds too many keepalive streams', {
        hint: 'Add a replica of the manager.',
      });
    }
    const id = await this.#members.find(kind, key);
    if (id === undefined) {
      const what = `${kind === 'scheduler' ? 'scheduler' : 'seed peer'} ${key.hostname} (${key.ip})`;
      throw new DragonflyError('NOT_FOUND', `${what} has not registered with cluster ${key.clusterId}`, {
        hint: 'Register first, then keep alive.',
      });
    }
    const name = `${kind} ${id}`;
    const member = this.#live.get(name) ?? { kind, id, streams: 0, beaten: true };
    this.#live.set(name, member);
    member.streams += 1;
    this.#streams += 1;
    const ended = this.#once(name, member);
    try {
      await this.#members.markActive(kind, id, this.#owner);
    } catch (error) {
      await ended();
      throw error;
    }
    return {
      beat: () => {
        member.beaten = true;
      },
      end: ended,
    };
  }

  #once(name: string, member: LiveMember): () => Promise<void> {
    let done = false;
    return async () => {
      if (done) return;
      done = true;
      this.#streams -= 1;
      member.streams -= 1;
      if (member.streams > 0) return;
      this.#live.delete(name);
      if (!this.#closing) await this.#members.markInactive(member.kind, member.id, this.#owner);
    };
  }

  async #flush(): Promise<void> {
    const beaten = [...this.#live.values()].filter((member) => member.beaten);
    for (const kind of ['scheduler', 'seed_peer'] as const) {
      const members = beaten.filter((member) => member.kind === kind);
      for (const member of members) member.beaten = false;
      try {
        await this.#members.touch(
          kind,
          members.map(({ id }) => id),
          this.#owner,
        );
      } catch (error) {
        for (const member of members) member.beaten = true;
        this.#logger.warn(
          { error: (error as Error).message, members: members.length },
          'keepalives could not be recorded',
        );
      }
    }
  }

  /** Call before the streams are closed. */
  drain(): void {
    this.#closing = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    clearInterval(this.#timer);
    await this.#flushing;
  }
}
