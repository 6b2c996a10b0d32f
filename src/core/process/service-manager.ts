/**
 * Tells systemd, or any supervisor that set NOTIFY_SOCKET, that the service is serving, that its event loop is alive,
 * and that it is ending. The messages are datagrams over a unix socket, which Node cannot send, so the C library does.
 */
import type { CommandIo } from './command.ts';
import { onAbort } from './lifecycle.ts';
import { toDragonflyError } from '../errors.ts';
import { foreignFunctions } from '../foreign-functions.ts';
import type { Logger } from './logger.ts';

const unixFamily = 1; // AF_UNIX
const datagram = 2 | 0o2000000; // SOCK_DGRAM | SOCK_CLOEXEC
const noSignal = 0x4000; // MSG_NOSIGNAL
/** sun_path without its terminating zero */
const maxPathBytes = 107;

type Send = (message: string) => void;

/** Call once the service is serving. Does nothing without a listener; failures are logged but do not stop the service. */
export function tellServiceManager({ env, signal }: Pick<CommandIo, 'env' | 'signal'>, logger: Logger): void {
  const address = env['NOTIFY_SOCKET'];
  if (!address) return;
  try {
    const send = connect(address);
    const everyMs = watchdogMs(env);
    // Half of the time after which the service counts as hung.
    if (everyMs !== undefined) setInterval(() => send('WATCHDOG=1'), everyMs / 2).unref();
    onAbort(signal, () => send('STOPPING=1'));
    send('READY=1');
  } catch (error) {
    logger.warn({ address, error: toDragonflyError(error).message }, 'the service manager cannot be told anything');
  }
}

/** Undefined when nobody watches this process; the variables may be inherited. */
function watchdogMs(env: CommandIo['env']): number | undefined {
  const time = Number(env['WATCHDOG_USEC']) / 1000;
  const pid = env['WATCHDOG_PID'];
  return time > 0 && (pid === undefined || Number(pid) === process.pid) ? time : undefined;
}

/** @param address an absolute path, or `@name` in the abstract namespace. Throws UNAVAILABLE when nobody listens. */
function connect(address: string): Send {
  const koffi = foreignFunctions();
  const library = koffi.load(null);
  const openSocket = library.func('int socket(int family, int type, int protocol)');
  const connectSocket = library.func('int connect(int fd, const void *address, uint32_t length)');
  const sendMessage = library.func('long send(int fd, const void *message, size_t length, int flags)');
  const failed = (what: string): Error => new Error(`${what} failed with errno ${koffi.errno()}`);
  const name = socketAddress(address);
  const fd = openSocket(unixFamily, datagram, 0) as number;
  if (fd < 0) throw failed('socket');
  if (connectSocket(fd, name, name.length) !== 0) throw failed('connect');
  return (message) => {
    const bytes = Buffer.from(message);
    sendMessage(fd, bytes, bytes.length, noSignal);
  };
}

function socketAddress(address: string): Buffer {
  const path = Buffer.from(address);
  if (!/^[/@]/.test(address) || path.length > maxPathBytes) throw new Error('not the address of a unix socket');
  const abstract = path[0] === 0x40;
  const name = Buffer.alloc(2 + path.length + (abstract ? 0 : 1));
  name.writeUInt16LE(unixFamily);
  path.copy(name, 2);
  if (abstract) name[2] = 0;
  return name;
}
