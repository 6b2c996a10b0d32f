/**
 * The certificate of this node: requested from the manager with a join token, kept on disk, renewed long before it expires, all
 * without a restart. Its users (ports, channels, piece transport) hold this object and are notified of a new certificate.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { backOffMs } from '../back-off.ts';
import { firstIdentityMs, longestTimerMs } from '../limits.ts';
import { identityOf } from '../member-identity.ts';
import type { OwnMaterial, Revocations } from '../tls.ts';
import type { IdentityNames } from './certificate-request.ts';
import { loadIdentity, saveIdentity, type Identity } from './identity-file.ts';
import { ManagerCa, type ManagerCaOptions } from './manager-ca.ts';
import { RevokedSerials } from './revoked-serials.ts';

export interface NodeIdentityOptions extends ManagerCaOptions {
  /** File that keeps it. */
  readonly path: string;
  readonly names: IdentityNames;
  readonly logger: Logger;
}

/** Share of its lifetime after which a certificate is renewed, and how much that varies between nodes. */
const renewAfterShare = 0.6;
const renewSpread = 0.1;
/** Minimum time between two requests, however short a certificate's lifetime. */
const renewNotBeforeMs = 1_000;

export class NodeIdentity implements Closable, OwnMaterial {
  readonly #options: NodeIdentityOptions;
  readonly #authority: ManagerCa;
  readonly #revoked = new RevokedSerials();
  readonly #listeners: (() => void)[] = [];
  readonly #controller = new AbortController();
  #identity: Identity | undefined;
  /** Start of its lifetime: managers backdate certificates for clocks that are slow. */
  #sinceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;

  private constructor(options: NodeIdentityOptions) {
    this.#options = options;
    this.#authority = new ManagerCa(options);
  }

  /**
   * Uses the certificate on disk while valid, otherwise requests a new one; waits a while for an unreachable manager.
   * Throws CONFIG_INVALID without a way to get one, UNAVAILABLE, and the manager's errors.
   */
  static async open(options: NodeIdentityOptions): Promise<NodeIdentity> {
    const identity = new NodeIdentity(options);
    const kept = await loadIdentity(options.path);
    if (kept && holds(kept, options.names)) {
      identity.#identity = kept;
      identity.#sinceMs = kept.certificate.validFromDate.getTime();
    } else await identity.#join();
    identity.#schedule();
    return identity;
  }

  get ca(): Buffer {
    return Buffer.from(this.#current.authorities);
  }

  get cert(): Buffer {
    return Buffer.from(this.#current.certificate.toString());
  }

  get key(): Buffer {
    return Buffer.from(this.#current.key);
  }

  get expiresAt(): Date {
    return this.#current.certificate.validToDate;
  }

  get revocations(): Revocations {
    return this.#revoked;
  }

  readonly onRenewed = (listener: () => void): void => void this.#listeners.push(listener);

  /** Requests a new certificate now. When that fails it rejects, and the held one stays. */
  async renew(): Promise<void> {
    const { names, path, logger } = this.#options;
    const identity = await this.#authority.issue(names, this.#identity, this.#controller.signal);
    await saveIdentity(path, identity);
    this.#identity = identity;
    this.#sinceMs = Date.now();
    logger.info({ until: this.expiresAt }, 'this node has a new certificate');
    for (const listener of this.#listeners) listener();
  }

  /** Asks which certificates were revoked. Never rejects: without an answer the known list stays. */
  async refreshRevocations(): Promise<void> {
    const { signal } = this.#controller;
    try {
      this.#revoked.replace(await this.#authority.revokedSerials(this, this.#current.authorities, signal));
    } catch (error) {
      if (signal.aborted) return;
      this.#options.logger.warn({ reason: toDragonflyError(error).message }, 'no list of revoked certificates');
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#controller.abort();
    return Promise.resolve();
  }

  get #current(): Identity {
    if (!this.#identity) throw new DragonflyError('FAILED_PRECONDITION', 'this node has no certificate yet');
    return this.#identity;
  }

  /** Nothing can start without the first certificate, so a manager that is still starting is waited for. */
  async #join(): Promise<void> {
    const deadlineMs = performance.now() + firstIdentityMs;
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.renew();
      } catch (error) {
        const known = toDragonflyError(error);
        const pauseMs = backOffMs(failures);
        if (known.code !== 'UNAVAILABLE' || performance.now() + pauseMs > deadlineMs) throw known;
        this.#options.logger.warn({ reason: known.message }, 'no certificate from the manager yet');
        await delay(pauseMs);
      }
    }
  }

  #schedule(): void {
    const lifeMs = this.expiresAt.getTime() - this.#sinceMs;
    const share = renewAfterShare + renewSpread * (Math.random() - 0.5);
    const dueMs = Math.max(this.#sinceMs + lifeMs * share - Date.now(), renewNotBeforeMs);
    const waitMs = this.#failures > 0 ? backOffMs(this.#failures) : dueMs;
    const isDue = waitMs <= longestTimerMs;
    this.#timer = setTimeout(() => void this.#wake(isDue), Math.min(waitMs, longestTimerMs));
    this.#timer.unref();
  }

  async #wake(isDue: boolean): Promise<void> {
    try {
      if (isDue) await this.renew();
      this.#failures = 0;
    } catch (error) {
      if (this.#controller.signal.aborted) return;
      this.#failures += 1;
      const reason = toDragonflyError(error).message;
      this.#options.logger.error({ reason, until: this.expiresAt }, 'this node gets no new certificate');
    }
    if (!this.#controller.signal.aborted) this.#schedule();
  }
}

/** Whether it is valid, for the names of this node, and for its role. */
function holds({ certificate }: Identity, { dnsNames, ipAddresses, identity }: IdentityNames): boolean {
  const now = new Date();
  return (
    certificate.validFromDate <= now &&
    now < certificate.validToDate &&
    (!identity || isDeepStrictEqual(identityOf(certificate.subjectAltName), identity)) &&
    ipAddresses.every((address) => certificate.checkIP(address) !== undefined) &&
    dnsNames.every((name) => certificate.checkHost(name) !== undefined)
  );
}
