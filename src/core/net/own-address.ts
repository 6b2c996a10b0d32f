/** Which addresses lead to this machine. */
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addSubnet('0.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');
loopback.addAddress('::', 'ipv6');

/** Converts an IPv4 address that a socket reports inside IPv6. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}

export function isLoopbackAddress(address: string): boolean {
  const plain = plainAddress(address);
  const version = isIP(plain);
  return version !== 0 && loopback.check(plain, version === 6 ? 'ipv6' : 'ipv4');
}

/** Whether the address is loopback or belongs to an interface: a caller from there runs on this machine. */
export function isOwnAddress(address: string): boolean {
  const plain = plainAddress(address);
  return isLoopbackAddress(plain) || interfaceAddresses().has(plain);
}

/** Cached, because a system call takes a tenth of a millisecond and every call of every member needs it. */
const interfacesMs = 2_000;
let interfaces: { readonly addresses: ReadonlySet<string>; readonly untilMs: number } | undefined;

function interfaceAddresses(): ReadonlySet<string> {
  const nowMs = performance.now();
  if (!interfaces || interfaces.untilMs < nowMs) {
    const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    interfaces = { addresses: new Set(all.map(({ address }) => address)), untilMs: nowMs + interfacesMs };
  }
  return interfaces.addresses;
}

/**
 * Whether the URL's host itself means "this machine", which is different on every machine. Names that only resolve to
 * loopback are not recognised. URL normalises all spellings of an address.
 */
export function namesLoopback(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const parsed = new URL(url);
  // The URL parser only normalises hosts of web schemes.
  const web = /^https?:$/.test(parsed.protocol) || !URL.canParse(`http://${parsed.host}`);
  const host = (web ? parsed : new URL(`http://${parsed.host}`)).hostname.toLowerCase().replace(/\.$/, '');
  if (host === 'localhost' || host.endsWith('.localhost') || host === 'localhost.localdomain') return true;
  return isLoopbackAddress(embedded(host.replace(/^\[|\]$/g, '')));
}

/** The URL parser writes ::ffff:127.0.0.1 as ::ffff:7f00:1. */
function embedded(host: string): string {
  const match = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  if (!match) return host;
  const words = [match[1], match[2]].map((word) => Number.parseInt(word ?? '', 16));
  return words.flatMap((word) => [word >> 8, word & 0xff]).join('.');
}
