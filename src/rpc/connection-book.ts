/** The connections of a port: how many each address has, and which of them request far more than they get. */
import type { Socket } from 'node:net';
import { plainAddress } from '../core/net/own-address.ts';
import { maxConnectionsOfAddress, maxRefusedOfConnection } from './limits.ts';

export class ConnectionBook {
  readonly #byAddress = new Map<string, number>();
  readonly #byName = new Map<string, { readonly socket: Socket; refused: number }>();

  /** False when its address already has too many. */
  enter(socket: Socket): boolean {
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined) return false; // gone already
    const address = plainAddress(remoteAddress);
    const others = this.#byAddress.get(address) ?? 0;
    if (others >= maxConnectionsOfAddress) return false;
    const name = nameOf({ remoteAddress, remotePort });
    this.#byAddress.set(address, others + 1);
    this.#byName.set(name, { socket, refused: 0 });
    socket.once('close', () => {
      this.#byName.delete(name);
      const left = (this.#byAddress.get(address) ?? 0) - 1;
      if (left > 0) this.#byAddress.set(address, left);
      else this.#byAddress.delete(address);
    });
    return true;
  }

  /** A call on this connection was rejected. Each rejection costs memory until its caller has read it, so a connection that continues is cut. */
  refused(end: ConnectionEnd): void {
    const entry = this.#byName.get(nameOf(end));
    if (!entry) return;
    entry.refused += 1;
    if (entry.refused >= maxRefusedOfConnection) entry.socket.destroy();
  }
}

export interface ConnectionEnd {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

function nameOf({ remoteAddress = '', remotePort = 0 }: ConnectionEnd): string {
  return `${remoteAddress} ${remotePort}`;
}
