/**
 * Encryption between this daemon and other services, controlled by one switch.
 *
 * As soon as one listener is configured with `insecure: false`, gRPC and pieces use TLS in both directions; a listener
 * without files of its own uses those of the other. `security.tlsPolicy: prefer` lets both ports accept plain text as
 * well, for as long as a cluster needs to migrate; `upload.plainPieces` does so for pieces alone. Files that cannot be
 * loaded prevent the start: nothing is ever sent in plain text instead. With `security.autoIssueCert` the node's
 * certificate replaces the files, and `tlsPolicy` alone decides.
 */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { DragonflyError } from '../core/errors.ts';
import { pemOf } from '../core/files/pem.ts';
import { readPrivateKey } from '../core/files/private-file.ts';
import type { NodeIdentity } from '../rpc/identity/node-identity.ts';
import { clientTls, serverTls } from '../rpc/identity/open-identity.ts';
import { liveTls, type ClientTls, type ServerTls } from '../rpc/tls.ts';
import type { DfdaemonConfig } from './config.ts';
import type { TransportTls } from './transport/tls-policy.ts';

/** An absent member means plain text for that direction; either all are present, or none. */
export interface TransportSecurity {
  readonly peerServer?: ServerTls;
  readonly pieceServer?: TransportTls;
  readonly grpcClient?: ClientTls;
  readonly pieceClient?: TransportTls;
}

type Listener = DfdaemonConfig['upload']['security'];

interface Identity {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer;
  readonly key: Buffer;
  /** True when callers must present a certificate that `ca` signed. */
  readonly demandsCertificates: boolean;
}

/** @param identity of this node, if the manager issues one. Throws CONFIG_INVALID. */
export async function loadTransportSecurity(
  { download, upload, security }: DfdaemonConfig,
  identity: NodeIdentity | undefined,
): Promise<TransportSecurity> {
  if (identity) return issued(identity, security.tlsPolicy);
  const [peerListener, pieceListener] = [download.peerGRPC.security, upload.security];
  const peer = peerListener.insecure ? pieceListener : peerListener;
  const piece = pieceListener.insecure ? peerListener : pieceListener;
  if (peer.insecure) {
    const hint = 'Set security.autoIssueCert, or insecure: false, caCert, cert and key in download.peerGRPC.security.';
    if (security.tlsPolicy === 'force') throw invalid('security.tlsPolicy is force, but there is no certificate', hint);
    return {};
  }
  const [peerIdentity, pieceIdentity] = [
    await loadIdentity(peer, peer === peerListener ? 'download.peerGRPC.security' : 'upload.security', security.caCert),
    await loadIdentity(
      piece,
      piece === pieceListener ? 'upload.security' : 'download.peerGRPC.security',
      security.caCert,
    ),
  ];
  const acceptPlain = security.tlsPolicy === 'prefer';
  const pieces = acceptPlain || upload.plainPieces ? 'prefer' : 'force';
  return {
    peerServer: { ...asServer(peerIdentity), acceptPlain },
    pieceServer: { policy: pieces, ...asServer(pieceIdentity) },
    grpcClient: asClient(peerIdentity),
    pieceClient: { policy: pieces, ...asClient(pieceIdentity) },
  };
}

function issued(identity: NodeIdentity, policy: DfdaemonConfig['security']['tlsPolicy']): TransportSecurity {
  const peerServer = serverTls(identity, policy);
  const grpcClient = clientTls(identity, policy);
  return {
    ...(peerServer && { peerServer }),
    pieceServer: liveTls(identity, { policy: policy === 'force' ? 'force' : 'prefer' }),
    ...(grpcClient && { grpcClient }),
    pieceClient: liveTls(identity, { policy: policy === 'default' ? 'off' : policy }),
  };
}

async function loadIdentity(listener: Listener, where: string, sharedCa: string): Promise<Identity> {
  const { cert, key, tlsVerify } = listener;
  if (!cert || !key)
    throw invalid(`${where} is not insecure, but has no cert and key`, 'Give both, as PEM or as paths of PEM files.');
  const ca = listener.caCert || sharedCa || undefined;
  if (tlsVerify && ca === undefined)
    throw invalid(
      `${where} has no caCert to verify the certificates of others with`,
      'Give the CA of the cluster, or set tlsVerify to false: then anybody may connect, encrypted.',
    );
  const identity: Identity = {
    ca: ca === undefined ? undefined : Buffer.from(await pemOf(ca, `${where}.caCert`)),
    cert: Buffer.from(await pemOf(cert, `${where}.cert`)),
    key: Buffer.from(await pemOf(key, `${where}.key`, readPrivateKey)),
    demandsCertificates: tlsVerify,
  };
  try {
    for (const certificates of [identity.cert, identity.ca])
      if (certificates) for (const block of certificateBlocks(certificates)) new X509Certificate(block);
    createSecureContext({ cert: identity.cert, key: identity.key, ca: identity.ca });
  } catch (cause) {
    throw invalid(
      `the certificates of ${where} cannot be used: ${(cause as Error).message}`,
      'Check that cert and key belong together and that all are PEM.',
      cause,
    );
  }
  return identity;
}

/** Throws when the text contains none. */
function certificateBlocks(text: Buffer): string[] {
  const blocks = text.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (!blocks) throw new Error('there is no certificate in it');
  return blocks;
}

function asServer({ ca, cert, key, demandsCertificates }: Identity): Pick<ServerTls, 'ca' | 'cert' | 'key'> {
  return { cert, key, ...(demandsCertificates && ca && { ca }) };
}

function asClient({ ca, cert, key }: Identity): Pick<ServerTls, 'ca' | 'cert' | 'key'> {
  return { cert, key, ...(ca && { ca }) };
}

function invalid(message: string, hint: string, cause?: unknown): DragonflyError {
  return new DragonflyError('CONFIG_INVALID', message, { hint, cause });
}
