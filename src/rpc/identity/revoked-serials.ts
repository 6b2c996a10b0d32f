import type { Revocations } from '../tls.ts';

/** Serial numbers of certificates that were revoked, as last reported by the manager. */
export class RevokedSerials implements Revocations {
  readonly #listeners: (() => void)[] = [];
  #serials: ReadonlySet<string> = new Set();

  has(serial: string): boolean {
    return this.#serials.has(serial.toLowerCase());
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** @param serials lower-case hexadecimal. */
  replace(serials: readonly string[]): void {
    this.#serials = new Set(serials);
    for (const listener of this.#listeners) listener();
  }
}
