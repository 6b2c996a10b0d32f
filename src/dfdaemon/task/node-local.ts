/**
 * URLs that mean this very machine. Their content is of this machine alone: no scheduler hears of it, no other machine is given it, for
 * `http://localhost/x` of two machines are two things under one name. Where the schedulers run on this machine, too, all of the cluster may
 * share its loopback, as in a trial on one machine: then such a URL is one like any other here.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import { withDeadline } from '../../core/process/lifecycle.ts';
import { isLoopbackAddress, isOwnAddress, namesLoopback } from '../../core/net/own-address.ts';
import { daemonLimits } from '../limits.ts';

export class NodeLocal {
  readonly #schedulers: () => readonly string[];
  /** What names were found to mean. */
  readonly #names = new LRUCache<string, boolean>({
    max: daemonLimits.resolvedNames,
    ttl: daemonLimits.resolvedNameMs,
  });

  /** @param schedulers `host:port` of those in use. */
  constructor(schedulers: () => readonly string[]) {
    this.#schedulers = schedulers;
  }

  /** The URL leads to loopback, as far as is known without asking for the address of a name. */
  means(url: string): boolean {
    return namesLoopback(url) || this.#names.get(hostOf(url)) === true;
  }

  /** The content is of this machine alone, as far as is known. */
  isKnown(url: string): boolean {
    return this.means(url) && !this.#sharesMachine();
  }

  /** A name that nobody resolves in time is somebody else's: the origin is asked through the same names, and then says so. */
  async check(url: string): Promise<boolean> {
    if (this.#sharesMachine()) return false;
    if (this.#schedulers().length === 0) return namesLoopback(url);
    return this.leadsHere(url);
  }

  /** As `means`, after the name was asked for its address. */
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

  /** Whether all schedulers are on this machine; without any scheduler the answer is false, since one may still come. */
  #sharesMachine(): boolean {
    const schedulers = this.#schedulers();
    return schedulers.length > 0 && schedulers.every((address) => isOwnAddress(hostOf(`http://${address}`)));
  }
}

/** Of the schemes whose host is one of the network; empty for others, in which it names a bucket or an owner. */
function hostOf(url: string): string {
  const { protocol = '', hostname = '' } = URL.canParse(url) ? new URL(url) : {};
  return /^(?:https?|oras|hdfs|webhdfs):$/.test(protocol) ? hostname.replace(/^\[|\]$/g, '') : '';
}
