/**
 * Who makes a request. Determined where the request enters, and carried with it to the origin: every right is decided
 * from this value alone.
 */

/** A role proven by a certificate, or by a key that its holder has shown. */
export type MemberRole = 'peer' | 'seed' | 'scheduler' | 'manager';

/** A program of this machine, over the unix socket. The file's permissions decide who may open the socket. */
export interface LocalUser {
  readonly kind: 'local';
  /** From the kernel; undefined where unavailable. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** Its other groups. */
  readonly groups?: readonly number[] | undefined;
}

export interface Member extends RemoteCaller {
  readonly kind: 'member';
  readonly role: MemberRole;
  /** The host that it may speak for; undefined where only the role is known. */
  readonly hostId: string | undefined;
  readonly clusterId: number | undefined;
  /** How the role was proven. An address proves nothing to those who share it, so it only counts for services that cannot show more. */
  readonly proof: 'certificate' | 'key' | 'address';
}

export interface ProxyClient extends RemoteCaller {
  readonly kind: 'proxy';
}

/** Over TCP, unidentified. */
export interface Stranger extends RemoteCaller {
  readonly kind: 'stranger';
}

interface RemoteCaller {
  /** Without a port. */
  readonly address: string;
  /** Whether the request was made on this machine, so that "localhost" in it means this machine. */
  readonly onThisMachine: boolean;
}

export type Caller = LocalUser | Member | ProxyClient | Stranger;

/** The program itself on behalf of the user who started it: dfget without a daemon. */
export const thisProcess: LocalUser = { kind: 'local', uid: process.geteuid?.(), gid: process.getegid?.() };

/** An unknown caller, with the fewest rights. */
export const unknownCaller: Stranger = { kind: 'stranger', address: '', onThisMachine: false };

/** Whether loopback addresses in the request mean this machine. */
export function reachesLoopback(caller: Caller): boolean {
  return caller.kind === 'local' || caller.onThisMachine;
}

/** Bridges and management networks of this machine, which other members need not reach. Clients of a proxy often live there. */
export function reachesInnerAddresses(caller: Caller): boolean {
  return caller.kind === 'proxy' || reachesLoopback(caller);
}
