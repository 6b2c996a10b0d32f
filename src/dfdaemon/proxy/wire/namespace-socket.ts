/**
 * A listening socket in another network namespace, for containers that cannot reach the host's. The kernel binds a
 * socket to its namespace when it is created, so this thread enters the namespace (setns(2)) just for that moment.
 */
import { closeSync, openSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { constants } from 'node:os';
import ipaddr from 'ipaddr.js';
import { DragonflyError } from '../../../core/errors.ts';
import { foreignFunctions } from '../../../core/foreign-functions.ts';

const newNetwork = 0x40000000; // CLONE_NEWNET
const streamSocket = 1 | 0o4000 | 0o2000000; // SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC
const families = { ipv4: 2, ipv6: 10 }; // AF_INET, AF_INET6
const socketLevel = 1; // SOL_SOCKET
const reuseAddress = 2; // SO_REUSEADDR
const backlog = 511;

/** Descriptor of a listening socket. Throws CONFIG_INVALID for an invalid namespace or address, and system errors. */
export function listenInNamespace(path: string, host: string, port: number): number {
  if (!isIPv4(host) && !isIPv6(host)) {
    throw new DragonflyError(
      'CONFIG_INVALID',
      `"${host}" is no numeric address, which a listener with a namespace needs`,
    );
  }
  const calls = systemCalls();
  const home = openSync('/proc/thread-self/ns/net', 'r');
  try {
    const namespace = openNamespace(path);
    try {
      calls.setns(namespace);
      try {
        return calls.listeningSocket(socketAddress(host, port));
      } finally {
        calls.setns(home);
      }
    } finally {
      closeSync(namespace);
    }
  } finally {
    closeSync(home);
  }
}

function openNamespace(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new DragonflyError(
      'CONFIG_INVALID',
      `cannot open the network namespace ${path}: ${(error as Error).message}`,
      {
        cause: error,
        hint: 'Give the path of a namespace, such as /run/netns/NAME or /proc/PID/ns/net.',
      },
    );
  }
}

interface SystemCalls {
  setns(fd: number): void;
  listeningSocket(address: Buffer): number;
}

function systemCalls(): SystemCalls {
  if (process.platform !== 'linux') {
    throw new DragonflyError('CONFIG_INVALID', 'listeners in a network namespace exist on Linux only');
  }
  const koffi = foreignFunctions();
  const lib = koffi.load(null);
  const setns = lib.func('int setns(int fd, int kind)');
  const socket = lib.func('int socket(int family, int type, int protocol)');
  const setsockopt = lib.func('int setsockopt(int fd, int level, int name, void *value, uint32_t length)');
  const bind = lib.func('int bind(int fd, void *address, uint32_t length)');
  const listen = lib.func('int listen(int fd, int backlog)');
  const checked = (call: string, result: unknown): number => {
    if (Number(result) >= 0) return Number(result);
    throw systemError(call, koffi.errno());
  };
  return {
    setns: (fd) => void checked('setns', setns(fd, newNetwork)),
    listeningSocket: (address) => {
      const fd = checked('socket', socket(address.readUInt16LE(0), streamSocket, 0));
      try {
        const on = new Uint32Array([1]);
        checked('setsockopt', setsockopt(fd, socketLevel, reuseAddress, on, on.byteLength));
        checked('bind', bind(fd, address, address.length));
        checked('listen', listen(fd, backlog));
        return fd;
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    },
  };
}

/** `struct sockaddr_in` or `sockaddr_in6` in little-endian order, which all platforms of Node have. */
function socketAddress(host: string, port: number): Buffer {
  const bytes = ipaddr.parse(host).toByteArray();
  const v4 = bytes.length === 4;
  const address = Buffer.alloc(v4 ? 16 : 28);
  address.writeUInt16LE(v4 ? families.ipv4 : families.ipv6, 0);
  address.writeUInt16BE(port, 2);
  address.set(bytes, v4 ? 4 : 8);
  return address;
}

function systemError(call: string, errno: number): Error {
  const code = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? 'EIO';
  return Object.assign(new Error(`${code}: ${call} failed`), { code, errno: -errno, syscall: call });
}
