/** The capacity of the network interface with a given address, and its current traffic, in bits per second. */
import { readFile } from 'node:fs/promises';
import os from 'node:os';

/** Within this interval callers get the previous value. */
const intervalMs = 900;

export interface Traffic {
  readonly rxBitsPerSec: number;
  readonly txBitsPerSec: number;
}

interface Counters {
  readonly atMs: number;
  readonly rxBytes: number;
  readonly txBytes: number;
}

export class NetworkLoad {
  readonly #directory: string | undefined;
  #last: Counters | undefined;
  #traffic: Traffic | undefined;

  /** @param ip of this host. */
  constructor(ip: string) {
    const found = Object.entries(os.networkInterfaces()).find(([, addresses = []]) =>
      addresses.some(({ address }) => address === ip),
    );
    this.#directory = found && `/sys/class/net/${found[0]}`;
  }

  /** Undefined for interfaces that report no speed, such as loopback and many virtual ones. */
  async capacityBitsPerSec(): Promise<number | undefined> {
    const megabits = await this.#number('speed');
    return megabits !== undefined && megabits > 0 ? megabits * 1e6 : undefined;
  }

  /** The traffic since the previous reading, which may be a while ago; undefined at the first call. */
  async traffic(): Promise<Traffic | undefined> {
    const last = this.#last;
    if (last && performance.now() - last.atMs < intervalMs) return this.#traffic;
    const [rxBytes, txBytes] = await Promise.all([
      this.#number('statistics/rx_bytes'),
      this.#number('statistics/tx_bytes'),
    ]);
    if (rxBytes === undefined || txBytes === undefined) return undefined;
    const now = { atMs: performance.now(), rxBytes, txBytes };
    this.#last = now;
    if (!last || now.atMs <= last.atMs) return this.#traffic;
    const perSec = (bytes: number): number => Math.max(0, Math.round((bytes * 8_000) / (now.atMs - last.atMs)));
    this.#traffic = { rxBitsPerSec: perSec(rxBytes - last.rxBytes), txBitsPerSec: perSec(txBytes - last.txBytes) };
    return this.#traffic;
  }

  async #number(name: string): Promise<number | undefined> {
    if (this.#directory === undefined) return undefined;
    try {
      const value = Number(await readFile(`${this.#directory}/${name}`, 'utf8'));
      return Number.isFinite(value) ? value : undefined;
    } catch {
      return undefined; // not Linux, or the driver does not report it
    }
  }
}
