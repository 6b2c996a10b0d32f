/**
 * The authority that signs certificates for intercepted hosts. It is created once, kept on disk and reused after a
 * restart, so that clients need to trust it only once. Nothing here ever changes a trust store.
 */
import 'reflect-metadata'; // the certificate library needs this import first
import { createPrivateKey, randomBytes, webcrypto, X509Certificate as NodeCertificate } from 'node:crypto';
import { chmod, link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { LRUCache } from 'lru-cache';
import { DragonflyError } from '../../../core/errors.ts';
import { readPrivateKey } from '../../../core/files/private-file.ts';
import { pemOf } from '../../../core/files/pem.ts';
import { writeWholeFile } from '../../../core/files/whole-file.ts';
import { proxyLimits } from '../limits.ts';

type KeyPair = webcrypto.CryptoKeyPair;

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 24 * 3600 * 1000;

/** PEM of a server certificate with the chain behind it, and of its key. */
export interface Leaf {
  readonly cert: string;
  readonly key: string;
}

export class CertificateAuthority {
  readonly certificatePem: string;
  readonly #certificate: X509Certificate;
  readonly #key: webcrypto.CryptoKey;
  /** All leaves share one key: generating keys is the expensive part, and they never leave this process. */
  readonly #leafKeys: KeyPair;
  readonly #leafKeyPem: string;
  readonly #leaves = new LRUCache<string, Leaf>({
    max: proxyLimits.leafCertificates,
    ttl: (proxyLimits.leafLifetimeDays * dayMs) / 4,
  });
  readonly #inWork = new Map<string, Promise<Leaf>>();

  private constructor(certificate: X509Certificate, key: webcrypto.CryptoKey, leafKeys: KeyPair, leafKeyPem: string) {
    this.certificatePem = certificate.toString('pem');
    this.#certificate = certificate;
    this.#key = key;
    this.#leafKeys = leafKeys;
    this.#leafKeyPem = leafKeyPem;
  }

  /**
   * Reads `authority.pem` (key and certificate in one file, 0600) from the directory, or creates it there. Also writes
   * the certificate alone to `ca.crt`, for clients to trust, and together with everything this machine trusts to
   * `ca-bundle.crt`, for clients that trust a single file and nothing else.
   */
  static async keptIn(directory: string): Promise<CertificateAuthority> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, 'authority.pem');
    if (!(await exists(path))) {
      const made = await makeAuthority();
      await createOnce(path, `${made.keyPem}\n${made.certificatePem}\n`);
    }
    await chmod(path, 0o600);
    const text = await readFile(path, 'utf8');
    const authority = await CertificateAuthority.load(text.slice(text.indexOf('-----BEGIN CERTIFICATE')), text);
    await writeWholeFile(join(directory, 'ca.crt'), `${authority.certificatePem}\n`, { mode: 0o644 });
    await writeWholeFile(
      join(directory, 'ca-bundle.crt'),
      [...systemAuthorities(), authority.certificatePem, ''].join('\n'),
      { mode: 0o644 },
    );
    return authority;
  }

  /** From PEM text or paths of PEM files, as in the configuration. */
  static async configured(cert: string, key: string): Promise<CertificateAuthority> {
    return CertificateAuthority.load(
      await pemOf(cert, 'proxy.hijackHTTPS.cert'),
      await pemOf(key, 'proxy.hijackHTTPS.key', readPrivateKey),
    );
  }

  /** Throws CONFIG_INVALID when the certificate is not an authority or does not match the key. */
  static async load(certificatePem: string, keyPem: string): Promise<CertificateAuthority> {
    try {
      const certificate = new X509Certificate(certificatePem);
      if (certificate.getExtension(BasicConstraintsExtension)?.ca !== true) throw new Error('it is not an authority');
      const key = await importKey(keyPem, certificate);
      const leafKeys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
      return new CertificateAuthority(certificate, key, leafKeys, await exportKey(leafKeys.privateKey));
    } catch (error) {
      throw new DragonflyError(
        'CONFIG_INVALID',
        `the authority for interception cannot be used: ${(error as Error).message}`,
        {
          cause: error,
          hint: 'Give the certificate and the key of one authority (PEM), or set proxy.hijackHTTPS.autoCert.',
        },
      );
    }
  }

  /** The leaf for a host; concurrent callers share one. Throws RESOURCE_EXHAUSTED when too many are being created. */
  async leafFor(host: string): Promise<Leaf> {
    const name = host.toLowerCase();
    const known = this.#leaves.get(name);
    if (known) return known;
    const running = this.#inWork.get(name);
    if (running) return running;
    if (this.#inWork.size >= proxyLimits.leafCertificatesInWork) {
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many certificates are being made at once');
    }
    const work = this.#makeLeaf(name);
    this.#inWork.set(name, work);
    try {
      const leaf = await work;
      this.#leaves.set(name, leaf);
      return leaf;
    } finally {
      this.#inWork.delete(name);
    }
  }

  async #makeLeaf(host: string): Promise<Leaf> {
    const leaf = await X509CertificateGenerator.create(
      {
        serialNumber: serialNumber(),
        subject: `CN=${host.slice(0, 64).replace(/[^a-z0-9.:-]/g, '')}`,
        issuer: this.#certificate.subject,
        notBefore: new Date(Date.now() - dayMs),
        notAfter: new Date(Date.now() + proxyLimits.leafLifetimeDays * dayMs),
        publicKey: this.#leafKeys.publicKey,
        signingKey: this.#key,
        signingAlgorithm: signingAlgorithm(this.#key),
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
          new SubjectAlternativeNameExtension([{ type: isIP(host) ? 'ip' : 'dns', value: host }]),
          await AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
        ],
      },
      webcrypto,
    );
    return { cert: `${leaf.toString('pem')}\n${this.certificatePem}`, key: this.#leafKeyPem };
  }
}

async function makeAuthority(): Promise<{ certificatePem: string; keyPem: string }> {
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name: `CN=Dragonfly proxy ${randomBytes(4).toString('hex')}`,
      notBefore: new Date(Date.now() - dayMs),
      notAfter: new Date(Date.now() + proxyLimits.authorityLifetimeDays * dayMs),
      keys,
      signingAlgorithm: ecdsa,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto,
  );
  return { certificatePem: certificate.toString('pem'), keyPem: await exportKey(keys.privateKey) };
}

async function importKey(keyPem: string, certificate: X509Certificate): Promise<webcrypto.CryptoKey> {
  const key = createPrivateKey(keyPem);
  if (!new NodeCertificate(certificate.toString('pem')).checkPrivateKey(key)) {
    throw new Error('the key does not belong to the certificate');
  }
  const algorithm =
    key.asymmetricKeyType === 'ec'
      ? { name: 'ECDSA', namedCurve: curveOf(key.asymmetricKeyDetails?.namedCurve) }
      : { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  return webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), algorithm, false, ['sign']);
}

function curveOf(name: string | undefined): string {
  const curves: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };
  const curve = curves[name ?? ''];
  if (curve === undefined) throw new Error(`keys on the curve ${name} are not supported`);
  return curve;
}

function signingAlgorithm(key: webcrypto.CryptoKey): { name: string; hash: string } {
  return { name: key.algorithm.name, hash: 'SHA-256' };
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

/** Positive, as some verifiers require. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function systemAuthorities(): readonly string[] {
  const system = getCACertificates('system');
  return system.length > 0 ? system : getCACertificates('default');
}

async function exists(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

/** Writes a temporary file and links it into place: a crash leaves the complete file or none, and of two writers the first one wins. */
async function createOnce(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomBytes(4).toString('hex')}`;
  await writeFile(aside, text, { mode: 0o600, flag: 'wx' });
  try {
    await link(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(aside);
  }
}
