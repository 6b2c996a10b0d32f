// needs: mariadbd, mariadb-install-db, postgres, initdb
/** The way from a manager of the original to this one, on each database server it runs on. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Kysely } from 'kysely';
import type { DragonflyError } from '../../src/core/errors.ts';
import { Sealer } from '../../src/manager/access/sealer.ts';
import { databaseEngine, type DatabaseConfig } from '../../src/manager/config.ts';
import { Database, dialect } from '../../src/manager/db/database.ts';
import { importOriginal } from '../../src/manager/import/import-original.ts';
import { OriginalDatabase } from '../../src/manager/import/original-database.ts';
import { engineKinds, type TestEngine } from './support/engines.ts';
import { startManager } from './support/manager-fixture.ts';
import { writeOriginal, type OriginalRows, type OriginalVersion } from './support/original-schema.ts';
import { RestClient } from './support/rest-client.ts';

/** The key that the fixture's managers are started with. */
const sealer = new Sealer(Buffer.alloc(32, 7));

// Made by the original for "dragonfly" and "alicepass1".
const rootHash = '$2a$04$bshYPcZYYZtTmyLxRHlWquiU6ixT66SOzyIoUNr/q/pCKWhb/M29W';
const aliceHash = '$2a$04$pZfhFruFXITERRrPrTC05uc1zyXZOIWkikZXiChzxpSytm8d3nA52';
const token = 'ZDNhMjhlNmQtZTgwZi00MzA0LWJiNDYtMzVlNDlmNmU1MTc2';

// Of today: jobs that ended long ago are collected by the first manager that starts.
const today = new Date().toISOString().replace('T', ' ').replace('Z', '');
const stamps = { created_at: today, updated_at: today, is_del: 0 };

const rows: OriginalRows = {
  user: [
    { id: 1, ...stamps, name: 'root', email: '', encrypted_password: rootHash, state: 'enable' },
    { id: 7, ...stamps, name: 'alice', email: 'alice@example.org', encrypted_password: aliceHash, state: 'enable' },
  ],
  casbin_rule: [
    { id: 1, ptype: 'p', v0: 'root', v1: 'jobs', v2: '*' },
    { id: 2, ptype: 'p', v0: 'guest', v1: 'personal-access-tokens', v2: 'read' },
    { id: 3, ptype: 'p', v0: 'operator', v1: 'jobs', v2: '*' },
    { id: 4, ptype: 'p', v0: 'operator', v1: 'buckets', v2: '*' },
    { id: 5, ptype: 'g', v0: '1', v1: 'root' },
    { id: 6, ptype: 'g', v0: '7', v1: 'operator' },
  ],
  oauth: [
    {
      id: 1,
      ...stamps,
      name: 'github',
      client_id: 'id',
      client_secret: 'their secret',
      redirect_url: 'https://d.example/cb',
    },
  ],
  personal_access_token: [
    {
      id: 3,
      ...stamps,
      name: 'ci',
      token,
      scopes: ['preheat', 'job', 'cluster'],
      state: 'active',
      expired_at: '2035-01-01 00:00:00',
      user_id: 1,
    },
  ],
  scheduler_cluster: [
    {
      id: 1,
      ...stamps,
      name: 'cluster-1',
      bio: '',
      config: { candidate_parent_limit: 5, filter_parent_limit: 20 },
      client_config: { load_limit: 50, concurrent_piece_count: 4 },
      seed_client_config: {},
      scopes: { idc: 'fra|ams', location: '', cidrs: ['10.0.0.0/8'], hostnames: null },
      is_default: 1,
    },
    {
      id: 9,
      ...stamps,
      name: 'eu',
      bio: 'europe',
      config: {},
      client_config: {},
      seed_client_config: {},
      scopes: {},
      is_default: 0,
    },
  ],
  seed_peer_cluster: [{ id: 4, ...stamps, name: 'seeds', bio: '', config: { load_limit: 300 } }],
  seed_peer_cluster_scheduler_cluster: [{ scheduler_cluster_id: 9, seed_peer_cluster_id: 4 }],
  scheduler: [
    {
      id: 1,
      ...stamps,
      host_name: 'sched-a',
      ip: '10.0.0.5',
      port: 8002,
      idc: 'fra',
      state: 'active',
      features: ['schedule', 'preheat'],
      config: {},
      last_keep_alive_at: null,
      scheduler_cluster_id: 9,
    },
  ],
  seed_peer: [
    {
      id: 1,
      ...stamps,
      host_name: 'seed-a',
      type: 'strong',
      ip: '10.0.0.6',
      port: 65000,
      download_port: 65002,
      state: 'active',
      seed_peer_cluster_id: 4,
    },
  ],
  peer: [
    {
      id: 1,
      ...stamps,
      host_name: 'p-a',
      type: 'normal',
      ip: '10.0.0.7',
      port: 65000,
      download_port: 65002,
      proxy_port: 65001,
      state: 'active',
      os: 'linux',
      scheduler_cluster_id: 9,
    },
  ],
  application: [
    {
      id: 2,
      ...stamps,
      name: 'app',
      url: 'https://example.org/',
      bio: '',
      priority: { value: 3, urls: [] },
      user_id: 7,
    },
  ],
  config: [{ id: 1, ...stamps, name: 'limit', value: '7', bio: '', user_id: 7 }],
  job: [
    {
      id: 21,
      ...stamps,
      task_id: 'group_1',
      bio: 'warm',
      type: 'preheat',
      state: 'SUCCESS',
      args: { type: 'file', url: 'https://user:secretpw@example.org/a.bin', headers: { Authorization: 'Bearer hush' } },
      task_result: { group_uuid: 'group_1', state: 'SUCCESS', job_states: [] },
      user_id: 7,
    },
    {
      id: 22,
      ...stamps,
      task_id: 'group_2',
      bio: '',
      type: 'preheat',
      state: 'PENDING',
      args: {},
      task_result: {},
      user_id: 1,
    },
  ],
  job_scheduler_cluster: [{ job_id: 21, scheduler_cluster_id: 9 }],
};

for (const kind of engineKinds.filter(({ name }) => name !== 'sqlite')) {
  describe(`an installation of the original on ${kind.name}`, { skip: kind.missing }, () => {
    let engine: TestEngine;
    let sqlite: TestEngine;
    before(async () => {
      const embedded = engineKinds.find(({ name }) => name === 'sqlite');
      [engine, sqlite] = await Promise.all([kind.start(), embedded?.start() ?? assert.fail()]);
    });
    after(async () => {
      await engine[Symbol.asyncDispose]();
      await sqlite[Symbol.asyncDispose]();
    });

    for (const version of ['2.1.28', '2.5.1'] satisfies OriginalVersion[]) {
      test(`of version ${version} goes on here: people sign in, tokens count, clusters keep their ids`, async () => {
        const theirs = await engine.newDatabase();
        await writeOriginal(theirs, version, rows);
        // From server to server, and from server to the embedded one.
        for (const ours of [await engine.newDatabase(), await sqlite.newDatabase()]) {
          await importInto(ours, theirs);
          await checkImported(ours, version);
        }
      });
    }

    test('is refused as a database of ours, untouched, and told how it is taken over', async () => {
      const theirs = await engine.newDatabase();
      await writeOriginal(theirs, '2.5.1', rows);
      const before = await tablesIn(theirs);
      await assert.rejects(startManager(theirs), (error: DragonflyError) => {
        assert.equal(error.code, 'FAILED_PRECONDITION');
        assert.match(error.hint ?? '', /dragonfly manager --config FILE import ORIGINAL/);
        return true;
      });
      assert.deepEqual(await tablesIn(theirs), before);
    });

    test('is not imported into what is in use, nor half', async () => {
      const theirs = await engine.newDatabase();
      // Two of one name: the second cannot be written here.
      await writeOriginal(theirs, '2.5.1', {
        ...rows,
        application: [1, 2].map((id) => ({ ...rows['application']?.[0], id })),
      });
      const half = await engine.newDatabase();
      await assert.rejects(importInto(half, theirs));
      await using database = await Database.open(half);
      assert.equal((await database.db.selectFrom('user').select('id').execute()).length, 0);
      const used = await engine.newDatabase();
      await (await startManager(used))[Symbol.asyncDispose]();
      await assert.rejects(importInto(used, theirs), { code: 'FAILED_PRECONDITION', message: /in use already/ });
    });

    test('what is not its database is not imported from', async () => {
      await assert.rejects(OriginalDatabase.open(await engine.newDatabase()), { code: 'FAILED_PRECONDITION' });
      await assert.rejects(OriginalDatabase.open(await sqlite.newDatabase()), { code: 'INVALID_ARGUMENT' });
    });
  });
}

async function importInto(ours: DatabaseConfig, theirs: DatabaseConfig): Promise<void> {
  await using from = await OriginalDatabase.open(theirs);
  await using to = await Database.open(ours);
  const imported = await importOriginal(from, to, sealer);
  for (const { name, found } of imported) assert.equal(found, rows[name]?.length ?? 0, name);
}

async function checkImported(ours: DatabaseConfig, version: OriginalVersion): Promise<void> {
  await using manager = await startManager(ours);
  const alice = await new RestClient(manager.restPort).signIn('alice', 'alicepass1');
  const job = await alice.ok<{ state: string; scheduler_clusters: { id: number }[]; result: { group_uuid: string } }>(
    'GET',
    '/api/v1/jobs/21',
  );
  assert.equal(job.state, 'SUCCESS');
  assert.equal(job.result.group_uuid, 'group_1');
  assert.deepEqual(
    job.scheduler_clusters.map(({ id }) => id),
    [9],
  );
  assert.doesNotMatch(JSON.stringify(job), /secretpw|hush/);
  assert.equal((await alice.ok<{ state: string }>('GET', '/api/v1/jobs/22')).state, 'FAILURE');
  assert.notEqual((await alice.request('GET', '/api/v1/users')).status, 200, 'an operator reads no users');

  const ci = new RestClient(manager.restPort, { authorization: `Bearer ${token}` });
  type Cluster = {
    id: number;
    scopes: { idc?: string; cidrs: string[] };
    peer_cluster_config: object;
    is_default: boolean;
  };
  const cluster = await ci.ok<Cluster>('GET', '/oapi/v1/clusters/1');
  assert.deepEqual([cluster.scopes.idc, cluster.scopes.cidrs, cluster.is_default], ['fra|ams', ['10.0.0.0/8'], true]);
  assert.deepEqual(cluster.peer_cluster_config, { load_limit: 50 });

  await using database = await Database.open(ours);
  const users = await database.db.selectFrom('user').select(['name', 'must_change_password as change']).execute();
  assert.deepEqual(
    users.filter(({ change }) => change === 1).map(({ name }) => name),
    ['root'],
    'who still has the published password',
  );
  const scheduler = await database.db.selectFrom('scheduler').selectAll().executeTakeFirstOrThrow();
  assert.deepEqual([scheduler.state, scheduler.scheduler_cluster_id, scheduler.port], ['active', 9, 8002]);
  const peer = await database.db.selectFrom('peer').selectAll().executeTakeFirstOrThrow();
  assert.equal(peer.proxy_port, version === '2.5.1' ? 65001 : 0);
  const { sealed_client_secret: secret } = await database.db
    .selectFrom('oauth')
    .select('sealed_client_secret')
    .executeTakeFirstOrThrow();
  assert.doesNotMatch(secret, /their secret/);
  // What is made now gets an id of its own.
  const now = { name: 'new', value: '', bio: '', user_id: 1, created_at: 1, updated_at: 1 };
  assert.ok((await database.insert('config', now)) > 1);
}

async function tablesIn(config: DatabaseConfig): Promise<string[]> {
  const db = new Kysely({ dialect: await dialect(databaseEngine(config), config) });
  const tables = await db.introspection.getTables();
  await db.destroy();
  return tables.map(({ name, columns }) => `${name} ${columns.map((column) => column.name).join(' ')}`).sort();
}
