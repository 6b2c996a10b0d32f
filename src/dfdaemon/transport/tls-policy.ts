/** Encryption of the piece port. One switch decides; nothing falls back to plain text. */
import type { SecureContextOptions } from 'node:tls';
import type { TlsMaterial } from '../../rpc/tls.ts';

/**
 * `off`: plain only. `force`: TLS only, with certificates of both sides when a CA is given. `prefer`: this server
 * takes both, this client uses TLS with every parent that announces it.
 */
export type TlsPolicy = 'off' | 'prefer' | 'force';

export interface TransportTls
  extends Pick<SecureContextOptions, 'ca' | 'cert' | 'key'>, Pick<TlsMaterial, 'onRenewed' | 'revocations'> {
  readonly policy: TlsPolicy;
  /** Name in the parent's certificate, when it is not the address it is reached by. */
  readonly servername?: string;
}

/** First two bytes of a TLS connection: a handshake record of SSL 3 or later. No piece request begins like this. */
export function looksLikeTls(bytes: Uint8Array): boolean {
  return bytes[0] === 0x16 && bytes[1] === 0x03;
}
