/** Which certificates of origins are trusted. Verification is on, except for hosts that an operator has listed. */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, getCACertificates, type ConnectionOptions, type SecureContext } from 'node:tls';
import { DragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { maxTrustStores } from './limits.ts';

export interface TrustOptions {
  /** PEM of authorities trusted for every origin, in addition to the system's. */
  readonly caPem?: readonly string[] | undefined;
  /** `host` or `host:port` whose certificate is not verified. */
  readonly insecureHosts?: readonly string[] | undefined;
}

/** Trust settings of one request. */
export interface Trust {
  readonly caPem?: readonly string[] | undefined;
  readonly insecureSkipVerify?: boolean | undefined;
}

export class TrustStore {
  readonly #caPem: readonly string[];
  readonly #insecureHosts: ReadonlySet<string>;
  readonly #logger: Logger;
  readonly #contexts = new Map<string, SecureContext>();
  readonly #warned = new Set<string>();
  #systemCa: readonly string[] | undefined;

  constructor({ caPem = [], insecureHosts = [] }: TrustOptions, logger: Logger) {
    this.#caPem = caPem;
    this.#insecureHosts = new Set(insecureHosts);
    this.#logger = logger;
  }

  /** Connections are shared only between requests with the same trust settings. */
  keyOf({ caPem, insecureSkipVerify }: Trust): string {
    const insecure = insecureSkipVerify === true ? 'insecure ' : '';
    return caPem?.length ? `${insecure}${authoritiesKey(caPem)}` : insecure;
  }

  connectionOptions(host: string, port: number, { caPem, insecureSkipVerify }: Trust): ConnectionOptions {
    const listed = this.#insecureHosts.has(host) || this.#insecureHosts.has(`${host}:${port}`);
    const insecure = listed || insecureSkipVerify === true;
    if (insecure && !this.#warned.has(host)) {
      this.#warned.add(host);
      this.#logger.warn({ host }, 'the certificate of this origin is not verified, as configured');
    }
    return {
      secureContext: this.#context(caPem ?? []),
      rejectUnauthorized: !insecure,
      ALPNProtocols: ['http/1.1'],
      ...(isIP(host) ? {} : { servername: host }),
    };
  }

  #context(caPem: readonly string[]): SecureContext {
    const key = authoritiesKey(caPem);
    const known = this.#contexts.get(key);
    if (known) return known;
    this.#systemCa ??= [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
    let context: SecureContext;
    try {
      context = createSecureContext({ ca: [...this.#systemCa, ...this.#caPem, ...caPem], minVersion: 'TLSv1.2' });
    } catch (error) {
      throw new DragonflyError('INVALID_ARGUMENT', 'a certificate authority given for the origin is not valid PEM', {
        cause: error,
        hint: 'Give the certificate in PEM form, beginning with -----BEGIN CERTIFICATE-----.',
      });
    }
    if (this.#contexts.size >= maxTrustStores) this.#contexts.delete(this.#contexts.keys().next().value as string);
    this.#contexts.set(key, context);
    return context;
  }
}

function authoritiesKey(caPem: readonly string[]): string {
  return createHash('sha256').update(caPem.join('\n')).digest('hex');
}
