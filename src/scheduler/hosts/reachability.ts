/**
 * Whether other nodes can reach a host. A host behind address translation announces an address other than the one it
 * calls from; only then is the announced address tried. A host that cannot be reached gives nothing to others, because
 * each of them would wait until its connection fails.
 *
 * A scheduler that may not open connections at all must not take the swarm apart, so a failed try alone proves nothing.
 */
import { isLoopbackAddress, isOwnAddress, plainAddress } from '../../core/net/own-address.ts';
import { hostPort } from '../../core/net/host-port.ts';
import type { Host } from '../../../gen/common/v2/common.ts';
import type { Channels } from '../../rpc/channels.ts';
import { maxCheckedHosts, reachabilityTimeoutMs, reachabilityTtlMs } from '../limits.ts';

interface Verdict {
  readonly address: string;
  readonly reachable: boolean;
  readonly untilMs: number;
}

export class Reachability {
  readonly #channels: Channels;
  /** By host, oldest first. */
  readonly #verdicts = new Map<string, Verdict>();

  constructor(channels: Channels) {
    this.#channels = channels;
  }

  /** @param callerAddress that the announcement came from; empty for a socket of this machine. */
  async isReachable({ id, ip, port }: Host, callerAddress: string): Promise<boolean> {
    if (callerAddress === '' || plainAddress(ip) === callerAddress || isOwnAddress(callerAddress)) return true;
    if (isLoopbackAddress(ip) || /^(169\.254\.|fe80:)/i.test(ip)) return false; // such an address belongs to the host itself, and must not be dialled
    const address = hostPort(ip, port);
    const known = this.#verdicts.get(id);
    if (known && known.address === address && known.untilMs > performance.now()) return known.reachable;
    const reachable = await this.#accepts(address);
    if (!reachable) this.#channels.drop(address);
    this.#verdicts.delete(id);
    this.#verdicts.set(id, { address, reachable, untilMs: performance.now() + reachabilityTtlMs });
    for (const oldest of this.#verdicts.keys()) {
      if (this.#verdicts.size <= maxCheckedHosts) break;
      this.#verdicts.delete(oldest);
    }
    return reachable;
  }

  async #accepts(address: string): Promise<boolean> {
    try {
      await this.#channels.ready(address, { timeoutMs: reachabilityTimeoutMs });
      return true;
    } catch {
      return false;
    }
  }
}
