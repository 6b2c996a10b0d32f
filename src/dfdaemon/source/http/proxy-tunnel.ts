/** Opens tunnels (CONNECT) through an outbound proxy: for TLS connections to origins, and for the tunnels of clients. */
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { DragonflyError } from '../../../core/errors.ts';
import { hostPort } from '../../../core/net/host-port.ts';
import type { ProxyHop } from '../../../core/net/outbound-proxy.ts';
import { onAbort } from '../../../core/process/lifecycle.ts';
import { connectTimeoutMs, maxHeadBytes } from '../limits.ts';

export interface TunnelOptions {
  readonly host: string;
  readonly port: number;
  readonly signal: AbortSignal;
  /** For a proxy that is itself reached over TLS. */
  readonly proxyTls: ConnectionOptions;
}

/** Resolves with a paused socket whose next byte is the target's. Throws SOURCE_UNREACHABLE. */
export async function openTunnel(hop: ProxyHop, options: TunnelOptions): Promise<Socket> {
  const { signal } = options;
  signal.throwIfAborted();
  const place = { host: hop.host, port: hop.port, allowHalfOpen: true };
  const socket = hop.secure ? connectTls({ ...options.proxyTls, ...place }) : connectTcp(place);
  using _aborting = onAbort(signal, () => void socket.destroy(signal.reason as Error));
  const timer = setTimeout(
    () => socket.destroy(Object.assign(new Error('the proxy does not answer in time'), { code: 'ETIMEDOUT' })),
    connectTimeoutMs,
  );
  try {
    const answer = await handshake(socket, connectText(hop, options), hop.secure ? 'secureConnect' : 'connect');
    if (/^HTTP\/1\.[01] 2\d\d/.test(answer)) return socket;
    throw refusal(hop, options, answer);
  } catch (error) {
    socket.destroy();
    if (error instanceof DragonflyError || signal.aborted) throw error;
    throw new DragonflyError(
      'SOURCE_UNREACHABLE',
      `the proxy ${hop.host} cannot be used: ${(error as Error).message}`,
      {
        cause: error,
        hint: 'Check HTTPS_PROXY, or outboundProxy in the configuration.',
      },
    );
  } finally {
    clearTimeout(timer);
  }
}

function connectText({ authorization }: ProxyHop, { host, port }: TunnelOptions): string {
  const target = hostPort(host, port);
  const login = authorization === undefined ? '' : `Proxy-Authorization: ${authorization}\r\n`;
  return `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${login}\r\n`;
}

/** Resolves with the header of the proxy's answer; bytes after it are put back into the socket. */
function handshake(socket: Socket, text: string, ready: 'connect' | 'secureConnect'): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const failed = (error?: Error): void => reject(error ?? new Error('it closed the connection'));
    const take = (bytes: Buffer): void => {
      received = Buffer.concat([received, bytes]);
      const end = received.indexOf('\r\n\r\n');
      if (end === -1 && received.length < maxHeadBytes) return;
      socket.pause();
      for (const [event, listener] of [
        ['data', take],
        ['end', failed],
        ['close', failed],
      ] as const)
        socket.removeListener(event, listener as () => void);
      if (end === -1) return failed(new Error('its answer is too long'));
      if (received.length > end + 4) socket.unshift(received.subarray(end + 4));
      resolve(received.toString('latin1', 0, end));
    };
    socket.once(ready, () => socket.write(text, 'latin1'));
    socket.on('data', take).once('end', failed).once('error', failed).once('close', failed);
  });
}

function refusal(hop: ProxyHop, { host, port }: TunnelOptions, answer: string): DragonflyError {
  const status = /^HTTP\/1\.[01] (\d{3}[^\r\n]{0,80})/.exec(answer)?.[1] ?? 'no HTTP';
  return new DragonflyError(
    'SOURCE_UNREACHABLE',
    `the proxy ${hop.host} does not connect to ${hostPort(host, port)}: ${status}`,
    {
      hint: status.startsWith('407')
        ? 'Give its user and password: http://user:password@host:port.'
        : 'Check that the proxy allows this target, or list it in NO_PROXY.',
    },
  );
}
