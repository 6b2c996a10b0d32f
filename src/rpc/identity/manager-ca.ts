/** Client of the cluster's certificate authority, over TLS that is verified from the first byte. */
import { X509Certificate } from 'node:crypto';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { Channels } from '../channels.ts';
import { createClient } from '../client.ts';
import { ManagerWatchDefinition } from '../../../gen/manager/v2/watch.ts';
import { CertificateDefinition } from '../../../gen/security/v1/security.ts';
import type { TlsMaterial } from '../tls.ts';
import { createCertificateRequest, signWith, type IdentityNames } from './certificate-request.ts';
import type { Identity } from './identity-file.ts';
import { fetchAuthority } from './manager-authority.ts';
import { certificateHeader, joinTokenHeader, parseJoinToken, signatureHeader, type JoinToken } from './proof.ts';

export interface ManagerCaOptions {
  /** `host:port` each. */
  readonly managers: readonly string[];
  /** Issued by the manager; not needed while a certificate is held. */
  readonly joinToken: string | undefined;
  /** PEM of the manager's authority; with it the join token needs no fingerprint. */
  readonly authorityPem: string | undefined;
  /** Requested lifetime of a certificate; the manager may shorten it. */
  readonly lifeMs: number | undefined;
}

type Proof = Readonly<Record<string, string | Buffer>>;

export class ManagerCa {
  readonly #options: ManagerCaOptions;
  readonly #joinToken: JoinToken | undefined;

  constructor(options: ManagerCaOptions) {
    this.#options = options;
    this.#joinToken = options.joinToken === undefined ? undefined : parseJoinToken(options.joinToken);
  }

  /**
   * Requests a certificate for a new key: with the held one, and with the join token if that is not enough. Throws
   * CONFIG_INVALID without either, UNAVAILABLE, and the manager's errors.
   */
  async issue(names: IdentityNames, held: Identity | undefined, signal: AbortSignal): Promise<Identity> {
    const { csr, key } = await createCertificateRequest(names);
    let refusal: DragonflyError | undefined;
    for (const proof of this.#proofs(csr, held)) {
      try {
        return await this.#ask({ csr, key, proof, held }, signal);
      } catch (error) {
        refusal = toDragonflyError(error);
        if (refusal.code !== 'UNAUTHENTICATED' && refusal.code !== 'PERMISSION_DENIED') throw refusal;
      }
    }
    if (refusal) throw refusal;
    throw new DragonflyError('CONFIG_INVALID', 'security.autoIssueCert is on, but there is no join token', {
      hint: 'Set security.joinToken or DRAGONFLY_JOIN_TOKEN to a join token of the manager.',
    });
  }

  /** Serial numbers in lower-case hexadecimal. */
  revokedSerials(own: TlsMaterial, authorities: string, signal: AbortSignal): Promise<readonly string[]> {
    return this.#atManager(authorities, own, signal, async (channels, address) => {
      const client = createClient(ManagerWatchDefinition, channels, address);
      return (await client.listRevokedCertificates({}, { signal })).serials;
    });
  }

  #proofs(csr: Buffer, held: Identity | undefined): Proof[] {
    const proofs: Proof[] = [];
    if (held && held.certificate.validToDate > new Date())
      proofs.push({ [certificateHeader]: held.certificate.raw, [signatureHeader]: signWith(held.key, csr) });
    if (this.#joinToken) proofs.push({ [joinTokenHeader]: this.#joinToken.secret });
    return proofs;
  }

  #ask(
    { csr, key, proof, held }: { csr: Buffer; key: string; proof: Proof; held: Identity | undefined },
    signal: AbortSignal,
  ): Promise<Identity> {
    const { lifeMs } = this.#options;
    const validityPeriod = lifeMs === undefined ? undefined : { seconds: Math.ceil(lifeMs / 1000), nanos: 0 };
    return this.#atManager(held?.authorities, {}, signal, async (channels, address, authorities) => {
      const client = createClient(CertificateDefinition, channels, address);
      const { certificateChain } = await client.issueCertificate({ csr, validityPeriod }, { metadata: proof, signal });
      const [der] = certificateChain;
      if (!der) throw new DragonflyError('PROTOCOL', 'the manager answered without a certificate');
      return { certificate: new X509Certificate(der), key, authorities };
    });
  }

  /** Calls the first manager that answers. Each call has its own connection: calls are rare, and the certificate changes. */
  async #atManager<T>(
    known: string | undefined,
    { cert, key }: TlsMaterial,
    signal: AbortSignal,
    work: (channels: Channels, address: string, authorities: string) => Promise<T>,
  ): Promise<T> {
    let last: DragonflyError | undefined;
    for (const address of this.#options.managers) {
      try {
        const authorities = this.#options.authorityPem ?? known ?? (await this.#recognize(address));
        await using channels = new Channels({
          tls: { ca: Buffer.from(authorities), ...(cert && key && { cert, key }) },
        });
        await channels.ready(address, { signal });
        return await work(channels, address, authorities);
      } catch (error) {
        signal.throwIfAborted();
        last = toDragonflyError(error);
        if (last.code !== 'UNAVAILABLE') throw last;
      }
    }
    throw last ?? new DragonflyError('CONFIG_INVALID', 'security.autoIssueCert is on, but no manager is configured');
  }

  #recognize(address: string): Promise<string> {
    const fingerprint = this.#joinToken?.authorityFingerprint;
    if (fingerprint !== undefined) return fetchAuthority(address, fingerprint);
    throw new DragonflyError('CONFIG_INVALID', 'nothing tells the manager from somebody in its place', {
      hint: 'Use the whole join token as the manager shows it, or set security.caCert to its authority.',
    });
  }
}
