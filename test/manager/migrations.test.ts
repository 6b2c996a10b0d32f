/** The schema goes forward only: from every version there ever was to today's, and never back. */
// needs: postgres, initdb, mariadbd, mariadb-install-db
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sql, type Kysely } from 'kysely';
import { Database } from '../../src/manager/db/database.ts';
import { migrations } from '../../src/manager/db/migrations/index.ts';
import { engineKinds } from './support/engines.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';

const versions = Object.keys(migrations);

describe('migrations', { concurrency: true }, () => {
  for (const kind of engineKinds) {
    test(
      `from every version to today’s, with what was in it; a newer schema is refused (${kind.name})`,
      { skip: kind.missing },
      async () => {
        await using engine = await kind.start();
        for (const version of versions) {
          const config = await engine.newDatabase();
          {
            await using old = await Database.open(config, { upTo: version });
            const { rows } = await sql<{ name: string }>`select name from dragonfly_migration order by name`.execute(
              old.db,
            );
            assert.deepEqual(
              rows.map(({ name }) => name),
              versions.slice(0, versions.indexOf(version) + 1),
            );
            const now = Date.now();
            await (old.db as unknown as Kysely<Record<string, Record<string, unknown>>>)
              .insertInto('config')
              .values({ name: 'kept', value: version, bio: '', user_id: 1, created_at: now, updated_at: now })
              .execute();
          }
          await using manager = await startManager(config);
          const root = await rootOf(manager);
          const [row] = await root.ok<{ value: string }[]>('GET', '/api/v1/configs?name=kept');
          assert.equal(row?.value, version);
        }
        const config = await engine.newDatabase();
        {
          await using newer = await Database.open(config);
          await sql`insert into dragonfly_migration (name, timestamp) values ('999-of-tomorrow', '2099-01-01T00:00:00Z')`.execute(
            newer.db,
          );
        }
        await assert.rejects(Database.open(config), { code: 'FAILED_PRECONDITION' });
      },
    );

    test(`weeks are added up from the days there are (${kind.name})`, { skip: kind.missing }, async () => {
      await using engine = await kind.start();
      const config = await engine.newDatabase();
      const weekMs = 7 * 86_400_000;
      {
        await using old = await Database.open(config, { upTo: '010-replication' });
        const day = {
          scheduler_cluster_id: 1,
          kind: 'node',
          span: 'day',
          name: 'n',
          given_bytes: 1,
          downloads: 1,
          failures: 0,
        };
        const sizes = { origin_bytes: 3e12, peer_bytes: 1 };
        const days = [0, 86_400_000, weekMs - 86_400_000, weekMs].map((past) => ({
          ...day,
          ...sizes,
          at: 100 * weekMs + past,
        }));
        await old.db.insertInto('traffic_share').values(days).execute();
      }
      await using database = await Database.open(config);
      const rows = await database.db
        .selectFrom('traffic_share')
        .select(['at', 'origin_bytes', 'downloads'])
        .where('span', '=', 'week')
        .orderBy('at')
        .execute();
      assert.deepEqual(
        rows.map((row) => [Number(row.at), Number(row.origin_bytes), Number(row.downloads)]),
        [
          [100 * weekMs, 9e12, 3],
          [101 * weekMs, 3e12, 1],
        ],
      );
    });
  }
});
