/**
 * URLs that lead to this very machine. Their content stays on this machine: no scheduler hears of it and no other
 * machine gets it, because `http://localhost/x` names different content on every machine. Where the schedulers run on
 * this machine, too, the whole cluster may share its loopback, as in a trial on one machine; such a URL is then an
 * ordinary one.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import { withDeadline } from '../../core/process/lifecycle.ts';
import { isLoopbackAddress, isOwnAddress, namesLoopback } from '../../core/net/own-address.ts';
import { daemonLimits } from '../limits.ts';

export class NodeLocal {
  readonly #schedulers: () => readonly string[];
  /** Whether each name resolved to loopback. */
  readonly #names = new LRUCache<string, boolean>({
    max: daemonLimits.resolvedNames,
    ttl: daemonLimits.resolvedNameMs,
  });

  /** @param schedulers `host:port` of those in use. */
  constructor(schedulers: () => readonly string[]) {
    this.#schedulers = schedulers;
  }

  /** The URL leads to loopback, as far as is known without resolving its name. */
  means(url: string): boolean {
    return namesLoopback(url) || this.#names.get(hostOf(url)) === true;
  }

  /** The content is only on this machine, as far as is known. */
  isKnown(url: string): boolean {
    return this.means(url) && !this.#sharesMachine();
  }

  /** A name that does not resolve in time counts as remote: the origin is reached through the same name, and will fail then. */
  async check(url: string): Promise<boolean> {
    if (this.#sharesMachine()) return false;
    if (this.#schedulers().length === 0) return namesLoopback(url);
    return this.leadsHere(url);
  }

  /** Like `means`, but resolves the name. */
  async leadsHere(url: string): Promise<boolean> {
    if (namesLoopback(url)) return true;
    const host = hostOf(url);
    if (host === '' || isIP(host) !== 0) return false;
    const known = this.#names.get(host);
    if (known !== undefined) return known;
    let isHere = false;
    const asked = lookup(host, { all: true }).then(
      (addresses) => {
        isHere = addresses.some(({ address }) => isLoopbackAddress(address));
        this.#names.set(host, isHere);
      },
      () => this.#names.set(host, false),
    );
    await withDeadline(asked, daemonLimits.resolveNameMs);
    return isHere;
  }

  /** Whether all schedulers are on this machine; false without any scheduler, since one may still appear. */
  #sharesMachine(): boolean {
    const schedulers = this.#schedulers();
    return schedulers.length > 0 && schedulers.every((address) => isOwnAddress(hostOf(`http://${address}`)));
  }
}

/** The host of a URL; empty for schemes in which it names a bucket or an owner. */
function hostOf(url: string): string {
  const { protocol = '', hostname = '' } = URL.canParse(url) ? new URL(url) : {};
  return /^(?:https?|oras|hdfs|webhdfs):$/.test(protocol) ? hostname.replace(/^\[|\]$/g, '') : '';
}
