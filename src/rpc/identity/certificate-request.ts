/** Creates a key and a certificate request for it. */
import { createSign, KeyObject, webcrypto } from 'node:crypto';
import { identityUri, type MemberIdentity } from '../member-identity.ts';

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface IdentityNames {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  /** At least one. */
  readonly ipAddresses: readonly string[];
  /** The role of the holder in the cluster. */
  readonly identity?: MemberIdentity | undefined;
}

export interface NewKey {
  /** PKCS #10, DER. */
  readonly csr: Buffer;
  /** PKCS #8, PEM. */
  readonly key: string;
}

export async function createCertificateRequest({
  commonName,
  dnsNames,
  ipAddresses,
  identity,
}: IdentityNames): Promise<NewKey> {
  // Loaded only to request a certificate, because it takes 10 MiB.
  await import('reflect-metadata'); // the certificate library needs this first
  const { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } = await import('@peculiar/x509');
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ O: ['Dragonfly'] }, { CN: [commonName] }],
    keys,
    signingAlgorithm: ecdsa,
    extensions: [
      new SubjectAlternativeNameExtension([
        ...ipAddresses.map((value) => ({ type: 'ip' as const, value })),
        ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
        ...(identity ? [{ type: 'url' as const, value: identityUri(identity) }] : []),
      ]),
    ],
  });
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { csr: Buffer.from(request.rawData), key };
}

/** Proves that the holder of the key sends these bytes. */
export function signWith(keyPem: string, bytes: Uint8Array): Buffer {
  return createSign('sha256').update(bytes).sign(keyPem);
}
