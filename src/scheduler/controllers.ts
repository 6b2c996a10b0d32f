/** Recognises the manager among callers: by certificate, by the key it gives this scheduler, or by its address until it has given one. */
import { isIP } from 'node:net';
import type { Metadata } from '@grpc/grpc-js';
import { provenKey, toldKeys } from '../rpc/control-key.ts';
import type { Caller } from '../rpc/server/caller.ts';
import { recognizeByCertificate, type CallerFacts } from '../rpc/rights.ts';

export class Controllers {
  /** The hosts of the managers as configured. Only addresses are kept, since one name may stand for many. */
  readonly #hosts: ReadonlySet<string>;
  readonly #keys = new Map<string, readonly string[]>();

  /** @param managers as `host:port`. */
  constructor(managers: readonly string[]) {
    const hosts = managers.map((address) => address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, ''));
    this.#hosts = new Set(hosts.filter((host) => isIP(host) !== 0));
  }

  heard(address: string, metadata: Metadata): void {
    this.#keys.set(address, toldKeys(metadata));
  }

  get keys(): string[] {
    return [...new Set([...this.#keys.values()].flat())];
  }

  /** @param ownAddresses that callers may dial to reach this scheduler. */
  recognize(facts: CallerFacts, ownAddresses: readonly string[]): Caller {
    const caller = recognizeByCertificate(facts);
    if (caller.kind === 'member') return caller;
    const { address, onThisMachine } = facts;
    const manager = { kind: 'member', role: 'manager', hostId: undefined, clusterId: undefined } as const;
    for (const own of ownAddresses) {
      const key = provenKey(facts.metadata, own);
      if (key !== undefined && this.keys.includes(key)) return { ...manager, proof: 'key', address, onThisMachine };
    }
    if (this.keys.length > 0 || !this.#hosts.has(address)) return caller;
    return { ...manager, proof: 'address', address, onThisMachine };
  }
}
