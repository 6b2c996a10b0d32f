/** The manager's own certificate, issued in this process by its authority and renewed long before it expires. */
import { hostname, networkInterfaces } from 'node:os';
import { X509Certificate } from 'node:crypto';
import { toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { createCertificateRequest, type IdentityNames } from '../../rpc/identity/certificate-request.ts';
import { RevokedSerials } from '../../rpc/identity/revoked-serials.ts';
import type { OwnMaterial, Revocations } from '../../rpc/tls.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import { ownCertificateLifeMs } from '../limits.ts';
import type { Authority } from './authority.ts';
import { canonicalAddress, parseCertificateRequest } from './certificate-request.ts';
import type { Certificates } from './certificates.ts';

export interface OwnCertificateParts {
  readonly authority: Authority;
  readonly certificates: Certificates;
  readonly changes: ChangeFeed;
  /** Names and addresses besides this machine's, such as a load balancer's. */
  readonly names: readonly string[];
  readonly logger: Logger;
}

export class OwnCertificate implements Closable, OwnMaterial {
  readonly ca: Buffer;
  readonly #parts: OwnCertificateParts;
  readonly #revoked = new RevokedSerials();
  readonly #listeners: (() => void)[] = [];
  #cert = Buffer.alloc(0);
  #key = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe: () => void = () => undefined;

  private constructor(parts: OwnCertificateParts) {
    this.#parts = parts;
    this.ca = Buffer.from(parts.authority.certificatePem);
  }

  static async create(parts: OwnCertificateParts): Promise<OwnCertificate> {
    const own = new OwnCertificate(parts);
    await own.#issue();
    await own.#readRevoked();
    own.#timer = setInterval(() => void own.#renew(), ownCertificateLifeMs / 3).unref();
    own.#unsubscribe = parts.changes.subscribe(({ topic }) => {
      if (topic === 'certificate') void own.#readRevoked();
    });
    return own;
  }

  /** The certificate and its authority, by which new members recognise this manager. */
  get cert(): Buffer {
    return this.#cert;
  }

  get key(): Buffer {
    return this.#key;
  }

  get revocations(): Revocations {
    return this.#revoked;
  }

  readonly onRenewed = (listener: () => void): void => void this.#listeners.push(listener);

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#unsubscribe();
    return Promise.resolve();
  }

  async #issue(): Promise<void> {
    const { authority, names } = this.#parts;
    const { csr, key } = await createCertificateRequest(ownNames(names));
    const { chain } = await authority.issue(await parseCertificateRequest(csr), ownCertificateLifeMs);
    this.#cert = Buffer.from(chain.map((der) => new X509Certificate(der).toString()).join(''));
    this.#key = Buffer.from(key);
    for (const listener of this.#listeners) listener();
  }

  async #renew(): Promise<void> {
    try {
      await this.#issue();
    } catch (error) {
      const reason = toDragonflyError(error).message;
      this.#parts.logger.error({ reason }, 'the certificate of this manager could not be renewed');
    }
  }

  async #readRevoked(): Promise<void> {
    try {
      this.#revoked.replace(await this.#parts.certificates.revokedSerials());
    } catch (error) {
      this.#parts.logger.warn({ reason: toDragonflyError(error).message }, 'the revoked certificates cannot be read');
    }
  }
}

function ownNames(more: readonly string[]): IdentityNames {
  const interfaces = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const addresses = interfaces.map(({ address }) => address).filter((address) => !address.startsWith('fe80:'));
  const isAddress = (name: string): boolean => /^[\d.]+$/.test(name) || name.includes(':');
  const ipAddresses = new Set(['127.0.0.1', '::1', ...addresses, ...more.filter(isAddress)].map(canonicalAddress));
  const dnsNames = new Set(['localhost', hostname().toLowerCase(), ...more.filter((name) => !isAddress(name))]);
  return {
    commonName: 'manager',
    dnsNames: [...dnsNames],
    ipAddresses: [...ipAddresses],
    identity: { role: 'manager', hostId: 'manager', clusterId: 0 },
  };
}
