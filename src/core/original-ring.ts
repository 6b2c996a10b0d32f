/**
 * The ring of the original's client in Rust (1.5, crate hashring 0.3.6 on a 64-bit machine): one point for each address, and the
 * first five characters of the key. It balances poorly, but a client must use it to choose the same scheduler as that client.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { sipHash } from './sip-hash.ts';

const keyCharacters = 5;

export class OriginalRing {
  readonly nodes: readonly string[];
  readonly #points: readonly { readonly hash: bigint; readonly node: string }[];

  /** @param nodes addresses, `ip:port`. */
  constructor(nodes: Iterable<string>) {
    this.nodes = [...new Set(nodes)].sort();
    this.#points = this.nodes
      .map((node) => ({ hash: sipHash(addressBytes(node)), node }))
      .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  }

  /** The owner of the key first, then the nodes that follow on the ring. Empty for an empty ring. */
  owners(key: string): string[] {
    // Rust hashes a string as its bytes followed by 0xff.
    const hash = sipHash(Buffer.concat([Buffer.from(key.slice(0, keyCharacters)), Buffer.of(0xff)]));
    const first = this.#points.findIndex((point) => point.hash >= hash);
    const start = Math.max(0, first);
    return [...this.#points.slice(start), ...this.#points.slice(0, start)].map(({ node }) => node);
  }
}

/** An address as Rust feeds `SocketAddr` to a hasher: kind, octets, port, and for IPv6 flow and scope, which are 0. */
function addressBytes(address: string): Uint8Array {
  const colon = address.lastIndexOf(':');
  const ip = address.slice(0, colon).replace(/^\[|\]$/g, '');
  const kind = Buffer.alloc(8);
  const port = Buffer.alloc(2);
  port.writeUInt16LE(Number(address.slice(colon + 1)) & 0xffff);
  if (isIPv4(ip)) return Buffer.concat([kind, Buffer.from(ip.split('.').map(Number)), port]);
  // A host name: the original would hash its current address, which other nodes may see differently.
  if (!isIPv6(ip)) return Buffer.from(address);
  kind[0] = 1;
  return Buffer.concat([kind, ipv6Octets(ip), port, Buffer.alloc(8)]);
}

function ipv6Octets(ip: string): Buffer {
  // URL writes it in hexadecimal groups, with one run of zeros omitted.
  const [head = '', tail] = new URL(`http://[${ip}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string | undefined): string[] => (text ? text.split(':') : []);
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: missing }, () => '0'), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
