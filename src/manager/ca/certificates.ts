/** Certificates that this manager issued, and which of them were revoked. */
import { DragonflyError } from '../../core/errors.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import type { CertificateTable } from '../db/schema.ts';
import type { Page, PageOf } from '../db/table-store.ts';
import type { IssuedCertificate } from './authority.ts';
import { namesOf, type CertificateNames } from './certificate-request.ts';

export class Certificates {
  readonly #database: Database;
  readonly #changes: ChangeFeed;

  constructor(database: Database, changes: ChangeFeed) {
    this.#database = database;
    this.#changes = changes;
  }

  async record(
    { serial, expiresAt }: IssuedCertificate,
    names: CertificateNames,
    kind: 'joined' | 'renewed',
  ): Promise<void> {
    await this.#database.db
      .insertInto('certificate')
      .values({
        serial,
        subject: names.commonName,
        names: JSON.stringify(namesOf(names)),
        kind,
        created_at: Date.now(),
        expires_at: expiresAt.getTime(),
        revoked_at: 0,
      })
      .execute();
  }

  /** A certificate that is neither expired nor revoked. */
  async valid(serial: string): Promise<CertificateTable | undefined> {
    return this.#database.db
      .selectFrom('certificate')
      .selectAll()
      .where('serial', '=', serial)
      .where('revoked_at', '=', 0)
      .where('expires_at', '>', Date.now())
      .executeTakeFirst();
  }

  async list({ page, perPage }: Page): Promise<PageOf<CertificateTable>> {
    const { db } = this.#database;
    const { total } = await db
      .selectFrom('certificate')
      .select((e) => e.fn.countAll().as('total'))
      .executeTakeFirstOrThrow();
    const rows = await db
      .selectFrom('certificate')
      .selectAll()
      .orderBy('created_at', 'desc')
      .orderBy('serial')
      .limit(perPage)
      .offset((page - 1) * perPage)
      .execute();
    return { rows, total: Number(total) };
  }

  /** Watching members are notified at once. Throws NOT_FOUND. */
  async revoke(serial: string): Promise<void> {
    await this.#changes.write('certificate', 0, async (db) => {
      const { numUpdatedRows } = await db
        .updateTable('certificate')
        .set({ revoked_at: Date.now() })
        .where('serial', '=', serial)
        .where('revoked_at', '=', 0)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw new DragonflyError('NOT_FOUND', `there is no valid certificate ${serial}`);
    });
  }

  /** Serial numbers, in lower-case hexadecimal, of those that have not expired. */
  async revokedSerials(): Promise<string[]> {
    const rows = await this.#database.db
      .selectFrom('certificate')
      .select('serial')
      .where('revoked_at', '>', 0)
      .where('expires_at', '>', Date.now())
      .execute();
    return rows.map(({ serial }) => serial);
  }

  async deleteExpired(): Promise<void> {
    await this.#database.db.deleteFrom('certificate').where('expires_at', '<', Date.now()).execute();
  }
}
