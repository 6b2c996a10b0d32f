/** Identity of the process at the other end of a unix socket, from the kernel: SO_PEERCRED, which Node does not expose. Linux only. */
import type { Socket } from 'node:net';
import { foreignFunctions } from '../../core/foreign-functions.ts';

export interface PeerCredentials {
  readonly uid: number;
  readonly gid: number;
  /** Its supplementary groups, where the kernel reports them (since Linux 4.13). */
  readonly groups: readonly number[];
}

type Read = (fd: number) => PeerCredentials | undefined;

const socketLevel = 1; // SOL_SOCKET
const peerCredentialsOption = 17; // SO_PEERCRED
const peerGroupsOption = 59; // SO_PEERGROUPS
/** For a user with more groups none are reported. */
const maxGroups = 256;
let read: Read | undefined;

/** Undefined where the system does not report them. They are those at connection time: passing on the socket passes on the rights. */
export function peerCredentials(socket: Socket): PeerCredentials | undefined {
  const handle = (socket as Socket & { readonly _handle?: { readonly fd?: unknown } | null })._handle;
  if (typeof handle?.fd !== 'number' || handle.fd < 0) return undefined;
  read ??= load();
  return read(handle.fd);
}

function load(): Read {
  if (process.platform !== 'linux') return () => undefined;
  try {
    const koffi = foreignFunctions();
    const getsockopt = koffi
      .load(null)
      .func('int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ uint32_t *length)');
    return (fd) => {
      const credentials = new Int32Array(3); // struct ucred: pid, uid, gid
      const length = [credentials.byteLength];
      if (getsockopt(fd, socketLevel, peerCredentialsOption, credentials, length) !== 0) return undefined;
      const [, uid, gid] = new Uint32Array(credentials.buffer);
      if (uid === undefined || gid === undefined) return undefined;
      const groups = new Uint32Array(maxGroups);
      const bytes = [groups.byteLength];
      const told = getsockopt(fd, socketLevel, peerGroupsOption, groups, bytes) === 0 ? (bytes[0] ?? 0) / 4 : 0;
      return { uid, gid, groups: [...groups.subarray(0, told)] };
    };
  } catch {
    return () => undefined; // no prebuilt library for this machine
  }
}
