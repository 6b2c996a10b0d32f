/**
 * Imports the installation of an original manager: clusters, members, users and their rights, tokens, providers,
 * applications, settings, jobs. Everything in one transaction, or nothing.
 */
import { sql, type Insertable, type Kysely, type Transaction } from 'kysely';
import { DragonflyError } from '../../core/errors.ts';
import { oauthSecretPurpose } from '../access/oauth.ts';
import { guestRole, rootRole } from '../access/objects.ts';
import { passwordMatches } from '../access/passwords.ts';
import type { Sealer } from '../access/sealer.ts';
import type { Database } from '../db/database.ts';
import type { Schema } from '../db/schema.ts';
import { protectedArgs } from '../jobs/job-secrets.ts';
import type { OriginalDatabase } from './original-database.ts';
import * as rows from './original-rows.ts';

export interface ImportedTable {
  readonly name: keyof Schema;
  readonly found: number;
  readonly imported: number;
  /** Why some rows were left out; empty when none were. */
  readonly leftOut: string;
}

/** Initial password of every installation of the original. */
const publishedPassword = 'dragonfly';

/** Values per statement: below SQLite's limit of parameters for the widest table. */
const rowsPerInsert = 100;

interface Step<T extends keyof Schema> {
  readonly table: T;
  readonly toRow: (row: rows.OriginalRow) => Insertable<Schema[T]> | undefined | Promise<Insertable<Schema[T]>>;
  readonly key?: readonly string[];
  readonly leftOut?: string;
}

/**
 * Errors: those of the databases; FAILED_PRECONDITION when ours is already in use or a count does not match. Nothing is
 * written then.
 */
export async function importOriginal(
  from: OriginalDatabase,
  to: Database,
  sealer: Sealer,
): Promise<readonly ImportedTable[]> {
  await requireUnused(to);
  return to.transaction(async (db) => {
    const imported: ImportedTable[] = [];
    const copy = async <T extends keyof Schema>(step: Step<T>): Promise<void> => {
      imported.push(await copyTable(from, db, step));
    };
    await copy({ table: 'user', toRow: withoutPublishedPassword });
    await copy({ table: 'casbin_rule', toRow: narrowRule, leftOut: leftOutRules });
    const seal = (secret: string): string => sealer.seal(oauthSecretPurpose, secret);
    await copy({ table: 'oauth', toRow: (row) => rows.oauthRow(row, seal) });
    await copy({
      table: 'personal_access_token',
      toRow: (row) => rows.tokenRow(row, (token) => sealer.tokenHash(token)),
    });
    await copy({ table: 'scheduler_cluster', toRow: rows.schedulerClusterRow });
    await copy({ table: 'seed_peer_cluster', toRow: rows.seedPeerClusterRow });
    const link = ['seed_peer_cluster_id', 'scheduler_cluster_id'];
    await copy({ table: 'seed_peer_cluster_scheduler_cluster', toRow: rows.clusterLinkRow, key: link });
    await copy({ table: 'scheduler', toRow: rows.schedulerRow });
    await copy({ table: 'seed_peer', toRow: rows.seedPeerRow });
    await copy({ table: 'peer', toRow: rows.peerRow });
    await copy({ table: 'application', toRow: rows.applicationRow });
    await copy({ table: 'config', toRow: rows.configRow });
    await copy({ table: 'job', toRow: (row) => rows.jobRow(row, (args) => protectedArgs(args, sealer)) });
    const jobLink = ['job_id', 'scheduler_cluster_id'];
    await copy({ table: 'job_scheduler_cluster', toRow: rows.jobLinkRow, key: jobLink });
    if (to.engine === 'postgres') await advanceIds(db, imported);
    return imported;
  });
}

const leftOutRules = 'rights of root and guest are those of this manager; rights on what it does not have are void';

/** Guests of the original may read users, tokens and the audit trail. */
function narrowRule(row: rows.OriginalRow): Insertable<Schema['casbin_rule']> | undefined {
  const rule = rows.ruleRow(row);
  return rule?.ptype === 'p' && (rule.v0 === guestRole || rule.v0 === rootRole) ? undefined : rule;
}

async function withoutPublishedPassword(row: rows.OriginalRow): Promise<Insertable<Schema['user']>> {
  const user = rows.userRow(row);
  const published = user.name === 'root' && (await passwordMatches(publishedPassword, user.encrypted_password));
  return published ? { ...user, must_change_password: 1 } : user;
}

async function copyTable<T extends keyof Schema>(
  from: OriginalDatabase,
  to: Transaction<Schema>,
  { table, toRow, key, leftOut = '' }: Step<T>,
): Promise<ImportedTable> {
  const db = to as unknown as Kysely<Record<string, Record<string, unknown>>>;
  const found = await from.count(table);
  let read = 0;
  let imported = 0;
  for await (const page of from.pages(table, key)) {
    read += page.length;
    const written: Insertable<Schema[T]>[] = [];
    for (const row of page) {
      const own = await toRow(row);
      if (own !== undefined) written.push(own);
    }
    for (let index = 0; index < written.length; index += rowsPerInsert) {
      await db
        .insertInto(table)
        .values(written.slice(index, index + rowsPerInsert))
        .execute();
    }
    imported += written.length;
  }
  const counted = await sql<{ count: number }>`select count(*) as count from ${sql.table(table)}`.execute(to);
  const count = Number(counted.rows[0]?.count);
  if (read !== found || count !== imported || (leftOut === '' && imported !== found)) {
    throw new DragonflyError(
      'FAILED_PRECONDITION',
      `${table}: ${found} rows were counted, ${read} read, ${count} written`,
      { hint: 'Stop the original manager while its database is imported, then try again. Nothing was kept.' },
    );
  }
  return { name: table, found, imported, leftOut: imported === found ? '' : leftOut };
}

/** A manager that has run has users and a cluster, whose ids are taken. */
async function requireUnused({ db }: Database): Promise<void> {
  for (const table of ['user', 'scheduler_cluster', 'job'] as const) {
    if ((await db.selectFrom(table).select('id').limit(1).executeTakeFirst()) === undefined) continue;
    throw new DragonflyError('FAILED_PRECONDITION', 'the database to import into is in use already', {
      hint: 'Configure an empty database, and import before the manager starts on it for the first time.',
    });
  }
}

/** Inserting rows with explicit ids does not advance PostgreSQL's sequences. */
async function advanceIds(db: Transaction<Schema>, imported: readonly ImportedTable[]): Promise<void> {
  for (const { name } of imported) {
    if (name.endsWith('scheduler_cluster') && name !== 'scheduler_cluster') continue;
    const id = sql.ref('id');
    await sql`select setval(pg_get_serial_sequence(${`"${name}"`}, 'id'), coalesce(max(${id}), 0) + 1, false) from ${sql.table(name)}`.execute(
      db,
    );
  }
}
