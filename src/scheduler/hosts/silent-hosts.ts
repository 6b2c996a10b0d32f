/**
 * Hosts that hold no stream to this scheduler, which are daemons of the original. A dead one would be noticed only when
 * its announcements fail to come, minutes later, and until then the scheduler would go on sending children to it. So
 * the scheduler dials the host as soon as a child reports that it got nothing from it. The host is gone when its port
 * is closed, or when it does not answer and two children complain.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Logger } from '../../core/process/logger.ts';
import type { HostRegistry } from './host-registry.ts';
import { doubtMs, maxDoubtedHosts, reachabilityTimeoutMs } from '../limits.ts';

export interface SilentHostsOptions {
  readonly hosts: HostRegistry;
  readonly logger: Logger;
  readonly drop: (hostId: string) => void;
}

interface Doubt {
  /** Hosts that got nothing. */
  readonly children: Set<string>;
  isDialled: boolean;
}

export class SilentHosts {
  readonly #options: SilentHostsOptions;
  readonly #doubts = new LRUCache<string, Doubt>({ max: maxDoubtedHosts, ttl: doubtMs });

  constructor(options: SilentHostsOptions) {
    this.#options = options;
  }

  /** A host got nothing from this one, for a reason that may be temporary. Returns at once. */
  doubted(hostId: string, childHostId: string): void {
    const known = this.#options.hosts.get(hostId);
    if (!known || known.holders > 0 || known.unreachable) return;
    const doubt = this.#doubts.get(hostId) ?? { children: new Set(), isDialled: false };
    doubt.children.add(childHostId);
    this.#doubts.set(hostId, doubt);
    if (doubt.isDialled) return;
    doubt.isDialled = true;
    void this.#dial(hostId, doubt, known.host).finally(() => (doubt.isDialled = false));
  }

  async #dial(
    hostId: string,
    doubt: Doubt,
    { ip, port }: { readonly ip: string; readonly port: number },
  ): Promise<void> {
    const { hosts, logger, drop } = this.#options;
    const answer = await answerOf(ip, port);
    if (answer === 'taken') return void this.#doubts.delete(hostId);
    if (answer === 'silence' && doubt.children.size < 2) return;
    const known = hosts.get(hostId);
    // The host may have come back meanwhile, at another port.
    if (!known || known.holders > 0 || known.host.port !== port) return;
    this.#doubts.delete(hostId);
    logger.warn({ hostId, ip, port, children: doubt.children.size }, 'a host that answers nobody is taken for dead');
    drop(hostId);
  }
}

async function answerOf(host: string, port: number): Promise<'taken' | 'refused' | 'silence'> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(reachabilityTimeoutMs) });
    return 'taken';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'refused' : 'silence';
  } finally {
    socket.on('error', () => undefined).destroy();
  }
}
