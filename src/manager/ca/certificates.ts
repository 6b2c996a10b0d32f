/** Certificates that this manager issued, and which of them were revoked. */
import { DragonflyError } from '../../core/errors.ts';
import type { ChangeFeed } from '../db/change-feed.ts';
import type { Database } from '../db/database.ts';
import type { CertificateTable } from '../db/schema.ts';
import type { Page, PageOf } from '../db/table-store.ts';
import type { IssuedCertificate } from './authority.ts';
import { parseJson } from '../clusters/types.ts';
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

  /**
   * With it goes what may have been renewed by it: whoever has stolen a certificate has renewed it first, with a key of his own. Watching members
   * are notified at once. Throws NOT_FOUND.
   */
  async revoke(serial: string): Promise<void> {
    await this.#changes.write('certificate', 0, async (db) => {
      const all = db.selectFrom('certificate').selectAll().where('revoked_at', '=', 0);
      const row = await all.where('serial', '=', serial).executeTakeFirst();
      if (!row) throw new DragonflyError('NOT_FOUND', `there is no valid certificate ${serial}`);
      const later = await all.where('kind', '=', 'renewed').where('created_at', '>=', row.created_at).execute();
      const held = new Set(parseJson<string[]>(row.names, []));
      const renewed = later.filter(({ names }) => parseJson<string[]>(names, []).every((name) => held.has(name)));
      for (const each of new Set([serial, ...renewed.map((other) => other.serial)]))
        await db.updateTable('certificate').set({ revoked_at: Date.now() }).where('serial', '=', each).execute();
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
