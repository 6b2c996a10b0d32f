/** How a new member verifies its manager: by the authority it was given, or by the fingerprint in its join token. */
import { X509Certificate } from 'node:crypto';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { DragonflyError } from '../../core/errors.ts';
import { connectTimeoutMs } from '../limits.ts';
import { fingerprintOf } from '../tls.ts';

/** Longest accepted chain: certificates of a stranger must not keep us busy. */
const maxChainLength = 8;

/**
 * The authority in the certificate chain of the address, PEM. Nothing is sent there before it is found. Throws
 * UNAVAILABLE when nothing answers with TLS, PERMISSION_DENIED when no certificate has the fingerprint.
 */
export async function fetchAuthority(address: string, fingerprint: string): Promise<string> {
  const chain = await shownChain(address);
  const authority = chain.find((certificate) => fingerprintOf(certificate) === fingerprint);
  if (authority) return authority.toString();
  throw new DragonflyError('PERMISSION_DENIED', `${address} is not the manager that the join token is from`, {
    hint: 'Check the manager address; if it is right, take a new join token from that manager.',
  });
}

function shownChain(address: string): Promise<X509Certificate[]> {
  const { hostname, port } = new URL(`https://${address}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate[]>();
  // Not verified here: the chain is first compared with the fingerprint, then used for verification.
  const socket = connect({ host, port: Number(port || 443), rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  const failed = (reason: string, cause?: unknown): void =>
    reject(new DragonflyError('UNAVAILABLE', `the manager at ${address} ${reason}`, { cause }));
  socket.setTimeout(connectTimeoutMs, () => {
    failed(`does not answer within ${connectTimeoutMs} ms`);
    socket.destroy();
  });
  socket.once('secureConnect', () => {
    resolve(chainOf(socket.getPeerCertificate(true)));
    socket.destroy();
  });
  socket.once('error', (error) => failed(`does not answer in TLS: ${error.message}`, error));
  socket.once('close', () => failed('closed the connection'));
  return promise;
}

/** Node links each certificate to its issuer, and a root to itself. */
function chainOf(certificate: DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<string>();
  let current: DetailedPeerCertificate | undefined = certificate;
  while (current?.raw && chain.length < maxChainLength && !seen.has(current.fingerprint256)) {
    seen.add(current.fingerprint256);
    chain.push(new X509Certificate(current.raw));
    current = current.issuerCertificate as DetailedPeerCertificate | undefined;
  }
  return chain;
}
