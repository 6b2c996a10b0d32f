/** The cluster's certificate authority: one key, kept encrypted in the database or given by configuration. */
import 'reflect-metadata'; // the certificate library needs it first
import { createPrivateKey, randomBytes, webcrypto, X509Certificate as NodeCertificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  type JsonGeneralName,
} from '@peculiar/x509';
import { DragonflyError } from '../../core/errors.ts';
import { readPrivateKey } from '../../core/files/private-file.ts';
import { identityUri } from '../../rpc/member-identity.ts';
import { fingerprintOf } from '../../rpc/tls.ts';
import type { InstallationSecrets } from '../access/sealer.ts';
import { authorityLifeMs, clockSkewMs } from '../limits.ts';
import type { CertificateNames, CertificateRequest } from './certificate-request.ts';

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const serialBytes = 16;

export interface IssuedCertificate {
  /** Lower-case hexadecimal. */
  readonly serial: string;
  readonly expiresAt: Date;
  /** DER of the certificate, followed by the authority's. */
  readonly chain: readonly Uint8Array[];
}

export class Authority {
  readonly certificatePem: string;
  /** By which new members recognise the authority. */
  readonly fingerprint: string;
  readonly #certificate: X509Certificate;
  readonly #key: webcrypto.CryptoKey;

  private constructor(certificate: X509Certificate, key: webcrypto.CryptoKey) {
    this.#certificate = certificate;
    this.#key = key;
    this.certificatePem = certificate.toString('pem');
    this.fingerprint = fingerprintOf(new NodeCertificate(this.certificatePem));
  }

  /** Loads the authority from files, or that of this installation, which is created on first use. Throws CONFIG_INVALID. */
  static async open(
    secrets: InstallationSecrets,
    files: { cert?: string | undefined; key?: string | undefined },
  ): Promise<Authority> {
    if (files.cert !== undefined && files.key !== undefined) {
      return Authority.#load(await readFile(files.cert, 'utf8'), (await readPrivateKey(files.key)).toString());
    }
    const stored = await secrets.readOrCreate('certificate authority', async () =>
      JSON.stringify(await makeAuthority()),
    );
    const { cert, key } = JSON.parse(stored) as { cert: string; key: string };
    return Authority.#load(cert, key);
  }

  static async #load(certPem: string, keyPem: string): Promise<Authority> {
    try {
      const certificate = new X509Certificate(certPem);
      if (certificate.getExtension(BasicConstraintsExtension)?.ca !== true) throw new Error('it is not an authority');
      const der = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' });
      const algorithm = signingAlgorithm(certificate);
      const key = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
      return new Authority(certificate, key);
    } catch (cause) {
      throw new DragonflyError(
        'CONFIG_INVALID',
        `the certificate authority cannot be used: ${(cause as Error).message}`,
        {
          cause,
          hint: 'security.caCert and security.caKey must be the PEM files of one authority.',
        },
      );
    }
  }

  async issue(request: CertificateRequest, lifeMs: number): Promise<IssuedCertificate> {
    const now = Date.now();
    // A certificate must not outlive its issuer.
    const expiresAt = new Date(Math.min(now + lifeMs, this.#certificate.notAfter.getTime()));
    const serial = newSerial();
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serial,
      subject: [{ O: ['Dragonfly'] }, { CN: [request.commonName] }],
      issuer: this.#certificate.subjectName,
      notBefore: new Date(now - clockSkewMs),
      notAfter: expiresAt,
      publicKey: request.publicKey,
      signingKey: this.#key,
      signingAlgorithm: signingAlgorithm(this.#certificate),
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension(generalNames(request)),
        await AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
      ],
    });
    const chain = [new Uint8Array(certificate.rawData), new Uint8Array(this.#certificate.rawData)];
    return { serial, expiresAt, chain };
  }
}

async function makeAuthority(): Promise<{ cert: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
  const now = Date.now();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ O: ['Dragonfly'] }, { CN: ['Dragonfly cluster authority'] }],
    notBefore: new Date(now - clockSkewMs),
    notAfter: new Date(now + authorityLifeMs),
    keys,
    signingAlgorithm: ecdsa,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
  return { cert: certificate.toString('pem'), key };
}

/** Positive, as the standard requires. */
function newSerial(): string {
  const bytes = randomBytes(serialBytes);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function signingAlgorithm({ publicKey }: X509Certificate) {
  const { name, namedCurve } = publicKey.algorithm as { name: string; namedCurve?: string };
  if (name.startsWith('RSA')) return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;
  return {
    name: 'ECDSA',
    namedCurve: namedCurve ?? 'P-256',
    hash: namedCurve === 'P-384' ? 'SHA-384' : 'SHA-256',
  } as const;
}

function generalNames({ dnsNames, ipAddresses, identity }: CertificateNames): JsonGeneralName[] {
  return [
    ...ipAddresses.map((value) => ({ type: 'ip' as const, value })),
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...(identity ? [{ type: 'url' as const, value: identityUri(identity) }] : []),
  ];
}
