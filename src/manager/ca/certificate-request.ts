/** Parses members' certificate requests, and checks everything that depends on the request alone. */
import { createPublicKey, createVerify, X509Certificate as NodeCertificate } from 'node:crypto';
import type { Pkcs10CertificateRequest, PublicKey } from '@peculiar/x509';
import ipaddr from 'ipaddr.js';
import { DragonflyError } from '../../core/errors.ts';
import { identityUri, parseIdentityUri, type MemberIdentity } from '../../rpc/member-identity.ts';
import { maxCertificateNames, maxCertificateRequestBytes, minRsaBits } from '../limits.ts';

export interface CertificateNames {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  /** In canonical form. */
  readonly ipAddresses: readonly string[];
  readonly identity: MemberIdentity | undefined;
}

export interface CertificateRequest extends CertificateNames {
  readonly publicKey: PublicKey;
}

/** @param der PKCS #10. Throws INVALID_ARGUMENT: malformed, wrong signature, weak key, no address, too many or unusual names. */
export async function parseCertificateRequest(der: Uint8Array): Promise<CertificateRequest> {
  if (der.length === 0 || der.length > maxCertificateRequestBytes) throw invalid(`its length is ${der.length} bytes`);
  // Loaded only where there is an authority, because it takes 10 MiB.
  await import('reflect-metadata'); // the certificate library needs it first
  const { Pkcs10CertificateRequest: Request, SubjectAlternativeNameExtension } = await import('@peculiar/x509');
  const request = readRequest(Request, der);
  if (!(await request.verify().catch(() => false))) throw invalid('it is not signed by the key in it');
  requireStrongKey(request.publicKey);
  const extension = request.extensions.find((one) => one instanceof SubjectAlternativeNameExtension);
  const names = extension?.names.toJSON() ?? [];
  if (names.length > maxCertificateNames) throw invalid(`it has more than ${maxCertificateNames} names`);
  const dnsNames = names.filter(({ type }) => type === 'dns').map(({ value }) => value.toLowerCase());
  const addresses = names.filter(({ type }) => type === 'ip').map(({ value }) => value);
  const uris = names.filter(({ type }) => type === 'url').map(({ value }) => value);
  if (dnsNames.length + addresses.length + uris.length !== names.length)
    throw invalid('only names, addresses and an identity may be certified');
  const [uri] = uris;
  const identity = uri === undefined ? undefined : parseIdentityUri(uri);
  if (uris.length > 1 || (uri !== undefined && !identity)) throw invalid('its identity is none');
  if (addresses.length === 0) throw invalid('it names no IP address');
  if (!dnsNames.every((name) => /^[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?$/.test(name)))
    throw invalid('it has a name that is no host name');
  const ipAddresses = addresses.map((address) => {
    if (!ipaddr.isValid(address)) throw invalid('it has an address that is none');
    return canonicalAddress(address);
  });
  const commonName = request.subjectName.getField('CN')[0] ?? ipAddresses[0] ?? '';
  if (!/^[\w.:@ -]{1,64}$/.test(commonName)) throw invalid('its common name has odd characters');
  return { commonName, dnsNames, ipAddresses, identity, publicKey: request.publicKey };
}

/** Everything that the certificate says of its holder, in recorded form. */
export function namesOf({ ipAddresses, dnsNames, identity }: CertificateNames): string[] {
  return [...ipAddresses, ...dnsNames, ...(identity ? [identityUri(identity)] : [])];
}

/** Canonical spelling of an address; IPv4 inside IPv6 becomes IPv4. */
export function canonicalAddress(address: string): string {
  return ipaddr.process(address).toString();
}

/** Whether these bytes were signed with the certificate's key. */
export function signedByHolder(certificateDer: Uint8Array, signed: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = createPublicKey(new NodeCertificate(certificateDer).publicKey.export({ type: 'spki', format: 'pem' }));
    return createVerify('sha256').update(signed).verify(key, signature);
  } catch {
    return false;
  }
}

function readRequest(Request: typeof Pkcs10CertificateRequest, der: Uint8Array): Pkcs10CertificateRequest {
  try {
    return new Request(Uint8Array.from(der));
  } catch (cause) {
    throw new DragonflyError('INVALID_ARGUMENT', 'the certificate request cannot be read', { cause });
  }
}

function requireStrongKey({ algorithm }: PublicKey): void {
  const {
    name,
    modulusLength = 0,
    namedCurve = '',
  } = algorithm as { name: string; modulusLength?: number; namedCurve?: string };
  if (name === 'ECDSA' && ['P-256', 'P-384', 'P-521'].includes(namedCurve)) return;
  if (name.startsWith('RSA') && modulusLength >= minRsaBits) return;
  throw invalid(`its key must be ECDSA, or RSA of at least ${minRsaBits} bits`);
}

function invalid(reason: string): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', `the certificate request is refused: ${reason}`);
}
