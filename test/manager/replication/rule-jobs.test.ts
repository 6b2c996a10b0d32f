/** Jobs of rules show what a rule names: who may not read rules does not see them, by whichever way. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { Database } from '../../../src/manager/db/database.ts';
import type { ManagerService } from '../../../src/manager/manager-service.ts';
import { makeImage } from '../../proxy/support/images.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { databaseConfig, engineKinds, eventually } from '../support/engines.ts';
import { rootOf, startManager } from '../support/manager-fixture.ts';
import { RestClient } from '../support/rest-client.ts';
import { ScriptedRegistry } from './scripted-registry.ts';

interface Id {
  readonly id: number;
}

describe('jobs of rules', () => {
  let directory: TemporaryDirectory;
  let registry: ScriptedRegistry;
  let manager: ManagerService;
  let root: RestClient;
  let ofRule: number;
  let own: number;
  before(async () => {
    directory = await temporaryDirectory('rule-jobs-');
    registry = await ScriptedRegistry.start();
    registry.add('secret/app', 'v1', makeImage({ layers: 1, layerBytes: 1_000 }));
    manager = await startManager(databaseConfig({ sqlite: { path: directory.join('manager.db') } }), {
      job: { preheat: { allowCIDRs: ['127.0.0.0/8'] } },
    });
    root = await rootOf(manager);
    const rule = { name: 'hidden', source: `http://${registry.host}/secret/*`.replace('*', 'app') };
    const { id } = await root.ok<Id>('POST', '/api/v1/replication-rules', rule);
    ofRule = await eventually(async () => {
      const [tag] = await root.ok<{ clusters: { job_id: number }[] }[]>('GET', `/api/v1/replication-rules/${id}/tags`);
      const job = tag?.clusters[0]?.job_id ?? 0;
      assert.ok(job > 0);
      return job;
    });
    await root.ok('PATCH', `/api/v1/replication-rules/${id}`, { enabled: false });
    const args = { type: 'file', url: 'https://files.invalid/x' };
    ({ id: own } = await root.ok<Id>('POST', '/api/v1/jobs', { type: 'preheat', args }));
  });
  after(async () => {
    await manager[Symbol.asyncDispose]();
    for (const each of [registry, directory]) await each[Symbol.asyncDispose]();
  });

  /** Somebody of whom the roles are these. */
  const signIn = async (name: string, rights: readonly { object: string; action: string }[]): Promise<RestClient> => {
    const { id } = await root.ok<Id>('POST', '/api/v1/users', { name, password: 'password1' });
    if (rights.length > 0) {
      await root.ok('POST', '/api/v1/roles', { role: `role-${name}`, permissions: rights });
      await root.ok('PUT', `/api/v1/users/${id}/roles/role-${name}`);
    }
    const user = await new RestClient(manager.restPort).signIn(name, 'password1');
    if ((await user.request('GET', '/api/v1/jobs')).status === 200) return user;
    await user.ok('POST', `/api/v1/users/${id}/reset_password`, {
      old_password: 'password1',
      new_password: 'password2',
    });
    return new RestClient(manager.restPort).signIn(name, 'password2');
  };
  const idsSeenBy = async (client: RestClient, path = '/api/v1/jobs'): Promise<number[]> => {
    const answer = await client.request('GET', path);
    const ids = (answer.body as Id[]).map(({ id }) => id);
    assert.ok(JSON.stringify(answer.body).includes('secret') === ids.includes(ofRule));
    assert.equal(Number(answer.headers.get('x-total-count')), ids.length, 'nor is it counted');
    return ids.toSorted((a, b) => a - b);
  };

  test('who may read rules sees them among all jobs', async () => {
    const ids = await idsSeenBy(root);
    assert.ok(ids.includes(ofRule) && ids.includes(own));
    const reader = await signIn('reader', [{ object: 'replication-rules', action: 'read' }]);
    assert.deepEqual(await idsSeenBy(reader), ids);
    assert.equal((await reader.request('GET', `/api/v1/jobs/${ofRule}`)).status, 200);
  });

  test('a guest does not, and who may write jobs cannot reach them', async () => {
    const worker = await signIn('worker', [{ object: 'jobs', action: '*' }]);
    for (const client of [await signIn('visitor', []), worker]) {
      const ids = await idsSeenBy(client);
      assert.ok(ids.includes(own) && !ids.includes(ofRule));
      assert.equal((await client.request('GET', `/api/v1/jobs/${ofRule}`)).status, 404);
    }
    for (const [method, path] of [
      ['PATCH', ''],
      ['DELETE', ''],
      ['POST', '/cancel'],
      ['POST', '/retry'],
    ] as const) {
      const body = method === 'PATCH' ? { bio: 'mine' } : undefined;
      assert.equal((await worker.request(method, `/api/v1/jobs/${ofRule}${path}`, body)).status, 404, method + path);
    }
    assert.equal((await root.request('GET', `/api/v1/jobs/${ofRule}`)).status, 200);
  });

  test('a token for jobs does not, one that is for clusters too does', async () => {
    const tokenOf = async (name: string, scopes: string[]): Promise<RestClient> => {
      const body = { name, scopes, expired_at: new Date(Date.now() + 3_600_000).toISOString() };
      const { token } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', body);
      return new RestClient(manager.restPort, { authorization: `Bearer ${token}` });
    };
    const [jobs, both] = [await tokenOf('jobs', ['job']), await tokenOf('both', ['job', 'cluster'])];
    assert.ok(!(await idsSeenBy(jobs, '/oapi/v1/jobs')).includes(ofRule));
    for (const path of ['/oapi/v1/jobs', '/preheats'])
      assert.equal((await jobs.request('GET', `${path}/${ofRule}`)).status, 404, path);
    assert.ok((await idsSeenBy(both, '/oapi/v1/jobs')).includes(ofRule));
    for (const path of ['/oapi/v1/jobs', '/preheats'])
      assert.equal((await both.request('GET', `${path}/${ofRule}`)).status, 200, path);
  });

  for (const kind of engineKinds)
    test(`jobs from before rules were named in them (${kind.name})`, { skip: kind.missing }, async () => {
      await using engine = await kind.start();
      const config = await engine.newDatabase();
      {
        await using old = await Database.open(config, { upTo: '012-replication-targets' });
        const rule = `insert into replication_rule (created_at, updated_at, name, bio, source, tags, cluster_ids, platform, scope, sealed_login,
          secret_hash, user_id, asked_at, listed_at, attempt, retry_at, error) values (1, 1, 'apps', '', '', '', '', '', '', '', '', 1, 0, 0, 0, 0, '')`;
        await sql.raw(rule).execute(old.db);
        for (const [type, bio] of [
          ['preheat', 'replication apps'],
          ['preheat', 'replication of mine'],
          ['gc', 'replication apps'],
          ['preheat', ''],
        ])
          await sql`insert into job (created_at, updated_at, task_id, bio, type, state, args, sealed_args, user_id, lease_owner)
            values (1, 1, 't', ${bio}, ${type}, 'SUCCESS', '{}', '', 1, '')`.execute(old.db);
      }
      await using database = await Database.open(config);
      const rows = await database.db.selectFrom('job').select('rule_id').orderBy('id').execute();
      assert.deepEqual(
        rows.map(({ rule_id: id }) => Number(id) > 0),
        [true, false, false, false],
      );
    });
});
