/** How requests to origins fail, in the words that users read. */
import { DragonflyError } from '../../../core/errors.ts';
import { hostPort } from '../../../core/net/host-port.ts';
import type { ProxyHop } from '../../../core/net/outbound-proxy.ts';

export class StaleConnectionError extends Error {
  constructor(cause: unknown) {
    super('the kept connection was closed', { cause });
  }
}

export function isReset(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

export function timedOut(host: string): DragonflyError {
  return new DragonflyError('SOURCE_UNREACHABLE', `${host} did not answer in time`, {
    hint: 'Check that the origin is up and reachable from this node.',
  });
}

export function unservedCoding(host: string): DragonflyError {
  return new DragonflyError('PROTOCOL', `${host} answered in a transfer coding that is not served`);
}

/** Its challenge is for this node: a client would answer with its credentials for this proxy. */
export function hopWantsCredentials({ host, port }: ProxyHop): DragonflyError {
  return new DragonflyError('SOURCE_UNREACHABLE', `the proxy ${hostPort(host, port)} asks this node for credentials`, {
    hint: 'Write them into the URL of the proxy (HTTP_PROXY, or download.outboundProxy).',
  });
}

export function unaskedUpgrade(host: string): DragonflyError {
  return new DragonflyError('SOURCE_UNREACHABLE', `${host} switched to a protocol that nobody asked for`);
}

export function unreachable(host: string, error: unknown): DragonflyError {
  if (error instanceof DragonflyError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const certificate = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME/.test(code ?? '');
  return new DragonflyError('SOURCE_UNREACHABLE', `cannot reach ${host}: ${message}`, {
    cause: error,
    hint: certificate
      ? 'Name the authority of the origin in the configuration (registryMirror.certs, hijackHTTPS.hosts[].certs).'
      : 'Check the name, the port and that the origin is reachable from this node.',
  });
}
