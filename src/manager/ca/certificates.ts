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
    renewedFrom: string | undefined,
  ): Promise<void> {
    await this.#database.db
      .insertInto('certificate')
      .values({
        serial,
        subject: names.commonName,
        names: JSON.stringify(namesOf(names)),
        kind: renewedFrom === undefined ? 'joined' : 'renewed',
        renewed_from: renewedFrom ?? '',
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
   * With it goes what was renewed by it: whoever has stolen a certificate has renewed it first, with a key of his own. Watching members
   * are notified at once. Throws NOT_FOUND.
   */
  async revoke(serial: string): Promise<void> {
    await this.#changes.write('certificate', 0, async (db) => {
      const rows = await db.selectFrom('certificate').selectAll().where('revoked_at', '=', 0).execute();
      const row = rows.find((each) => each.serial === serial);
      if (!row) throw new DragonflyError('NOT_FOUND', `there is no valid certificate ${serial}`);
      for (const each of withRenewed(row, rows))
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

/** The serial numbers of a certificate and all that descend from it. */
function withRenewed(row: CertificateTable, rows: readonly CertificateTable[]): ReadonlySet<string> {
  const renewed = rows.filter(({ kind }) => kind === 'renewed').toSorted((a, b) => a.created_at - b.created_at);
  const gone = new Set([row.serial]);
  const held = new Set(parseJson<string[]>(row.names, []));
  for (const { serial, renewed_from: from, created_at: createdMs, names } of renewed) {
    // Rows from before the column do not say by what they were renewed.
    const own = parseJson<string[]>(names, []);
    const mayBe = from === '' && createdMs >= row.created_at && own.length > 0 && own.every((name) => held.has(name));
    if (mayBe || gone.has(from)) gone.add(serial);
  }
  return gone;
}
