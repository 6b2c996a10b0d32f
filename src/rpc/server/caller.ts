/**
 * Who makes a request. Told at the border where it comes in, and carried with it to the origin it leads to: every right is
 * decided from this value and from nothing else.
 */

/** What a certificate, or a key its holder has shown, says that somebody is. */
export type MemberRole = 'peer' | 'seed' | 'scheduler' | 'manager';

/** A program of this machine, over the unix socket. Who may open the socket at all is the file's own right. */
export interface LocalUser {
  readonly kind: 'local';
  /** From the kernel; undefined where it does not report it. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** Its other groups. */
  readonly groups?: readonly number[] | undefined;
}

export interface Member extends RemoteCaller {
  readonly kind: 'member';
  readonly role: MemberRole;
  /** What it may speak for; undefined where only the role is known. */
  readonly hostId: string | undefined;
  readonly clusterId: number | undefined;
  /** How the role is known. An address proves nothing to those who share it: it counts only for services that can show no more. */
  readonly proof: 'certificate' | 'key' | 'address';
}

export interface ProxyClient extends RemoteCaller {
  readonly kind: 'proxy';
}

/** Over TCP, without any identification. */
export interface Stranger extends RemoteCaller {
  readonly kind: 'stranger';
}

interface RemoteCaller {
  /** Without a port. */
  readonly address: string;
  /** The request was made on this machine, so that "localhost" in it means this machine. */
  readonly onThisMachine: boolean;
}

export type Caller = LocalUser | Member | ProxyClient | Stranger;

/** The program itself, in the name of the user who started it: dfget without a daemon. */
export const thisProcess: LocalUser = { kind: 'local', uid: process.geteuid?.(), gid: process.getegid?.() };

/** Somebody of whom nothing is known: has the fewest rights there are. */
export const unknownCaller: Stranger = { kind: 'stranger', address: '', onThisMachine: false };

/** Loopback means the machine of the one who says it. */
export function reachesLoopback(caller: Caller): boolean {
  return caller.kind === 'local' || caller.onThisMachine;
}

/** Bridges and management networks of this machine, which other members need not see. Clients of a proxy often live there. */
export function reachesInnerAddresses(caller: Caller): boolean {
  return caller.kind === 'proxy' || reachesLoopback(caller);
}
