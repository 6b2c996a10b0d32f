/**
 * System calls that Node does not offer, through a foreign function interface, where available: sendfile(2) from a file
 * to a socket, TCP_NOTSENT_LOWAT and TCP_INFO by setsockopt(2) and getsockopt(2), and preadv2(2) with RWF_NOWAIT, which
 * tells whether bytes are in the page cache without touching the disk. The only place that knows Node's internal socket
 * handle. Undefined on other systems.
 */
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { foreignFunctions } from '../../core/foreign-functions.ts';

export interface NativeIo {
  /** Bytes sent, or `blocked` when the socket is full. Throws a system error. */
  sendfile(socketFd: number, fileFd: number, offset: number, count: number): number | 'blocked';
  /** How much may be buffered before the socket counts as full. Otherwise the kernel accepts whole pieces, and nobody knows what was sent. */
  limitUnsent(socketFd: number, bytes: number): void;
  /** The shortest round trip that the kernel measured on the connection; 0 when unknown. */
  roundTripMs(socketFd: number): number;
  /** False only when reading there would wait for the disk. */
  isCached(fileFd: number, offset: number): boolean;
}

let loaded: NativeIo | undefined | 'not tried' = 'not tried';

export function nativeIo(): NativeIo | undefined {
  if (loaded === 'not tried') loaded = load();
  return loaded;
}

/** Descriptor of a plain, open TCP socket; undefined for TLS, closed sockets and runtimes that do not show it. */
export function socketFd(socket: Socket): number | undefined {
  const handle = (socket as Socket & { readonly _handle?: { readonly fd?: unknown } | null })._handle;
  return !socket.destroyed && typeof handle?.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined;
}

/** Round trip of the socket's connection; 0 when unknown. */
export function roundTripMs(socket: Socket): number {
  const fd = socketFd(socket);
  return fd === undefined ? 0 : (nativeIo()?.roundTripMs(fd) ?? 0);
}

const nowaitFlag = 8; // RWF_NOWAIT
const tcpLevel = 6; // IPPROTO_TCP
const notSentLowat = 25; // TCP_NOTSENT_LOWAT
const tcpInfo = 11; // TCP_INFO
/** Offset of tcpi_min_rtt, in microseconds, in struct tcp_info. */
const minRttAt = 148;
const noRoundTrip = 0xffff_ffff;

function load(): NativeIo | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const koffi = foreignFunctions();
    const lib = koffi.load(null);
    const sendfile = lib.func('int64_t sendfile(int out, int in, void *offset, size_t count)');
    const preadv2 = lib.func('int64_t preadv2(int fd, void *parts, int count, int64_t offset, int flags)');
    const setsockopt = lib.func('int setsockopt(int fd, int level, int name, void *value, uint32_t length)');
    const getsockopt = lib.func('int getsockopt(int fd, int level, int name, void *value, void *length)');
    const info = new Uint32Array(minRttAt / 4 + 1);
    const infoLength = new Uint32Array(1);
    const unsent = new Uint32Array(1);
    const position = new BigInt64Array(1);
    // struct iovec for the kernel, created once: converting one for every call takes longer than the call
    const probe = new BigUint64Array([koffi.address(koffi.alloc('uint8_t', 1)), 1n]);
    let probing = true;
    return {
      sendfile(socketFd, fileFd, offset, count) {
        position[0] = BigInt(offset);
        const sent = Number(sendfile(socketFd, fileFd, position, count));
        if (sent >= 0) return sent;
        const errno = koffi.errno();
        if (errno === constants.errno.EAGAIN || errno === constants.errno.EINTR) return 'blocked';
        throw systemError('sendfile', errno);
      },
      limitUnsent(socketFd, bytes) {
        unsent[0] = bytes;
        setsockopt(socketFd, tcpLevel, notSentLowat, unsent, unsent.byteLength); // a kernel without it buffers more
      },
      roundTripMs(socketFd) {
        infoLength[0] = info.byteLength;
        const known =
          getsockopt(socketFd, tcpLevel, tcpInfo, info, infoLength) === 0 && infoLength[0] === info.byteLength;
        const microseconds = info[minRttAt / 4] ?? noRoundTrip;
        return known && microseconds !== noRoundTrip ? microseconds / 1000 : 0;
      },
      isCached(fileFd, offset) {
        if (!probing) return true;
        if (Number(preadv2(fileFd, probe, 1, offset, nowaitFlag)) >= 0) return true;
        const errno = koffi.errno();
        if (errno === constants.errno.EAGAIN) return false;
        // In-memory file systems reject the flag, and so do kernels that do not know it.
        if (errno === constants.errno.ENOSYS) probing = false;
        return true;
      },
    };
  } catch {
    return undefined; // no prebuilt library for this machine: the portable path is used
  }
}

function systemError(call: string, errno: number): Error {
  const code = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? 'EIO';
  return Object.assign(new Error(`${code}: ${call} failed`), { code, errno: -errno, syscall: call });
}
