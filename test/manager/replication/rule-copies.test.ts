/** Copies follow their rule: what is proven is proven for what it asks now, and nobody gets what he is not to have any more. */
// needs: postgres, initdb, mariadbd, mariadb-install-db
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { DatabaseConfig } from '../../../src/manager/config.ts';
import { Database } from '../../../src/manager/db/database.ts';
import type { ManagerService } from '../../../src/manager/manager-service.ts';
import { makeImage } from '../../proxy/support/images.ts';
import { engineKinds, eventually, type EngineKind, type TestEngine } from '../support/engines.ts';
import { rootOf, startManager } from '../support/manager-fixture.ts';
import type { RestClient } from '../support/rest-client.ts';
import { ScriptedRegistry } from './scripted-registry.ts';

interface Id {
  readonly id: number;
}

interface Job extends Id {
  readonly state: string;
  readonly bio: string;
}

interface Copy {
  readonly scheduler_cluster_id: number;
  readonly state: string;
  readonly digest: string;
  readonly job_id: number;
}

interface Tag {
  readonly tag: string;
  readonly digest: string;
  readonly clusters: readonly Copy[];
  readonly target: { readonly state: string; readonly digest: string; readonly error: string } | null;
}

for (const kind of engineKinds)
  describe(`copies of a rule that changes on ${kind.name}`, { skip: kind.missing }, () => suite(kind));

function suite(kind: EngineKind): void {
  let engine: TestEngine;
  let config: DatabaseConfig;
  let registry: ScriptedRegistry;
  let target: ScriptedRegistry;
  let manager: ManagerService;
  let root: RestClient;
  /** The same database, as another replica has it. */
  let database: Database;
  const images = new Map(['v1', 'v2', 'other'].map((tag) => [tag, makeImage({ layers: 1, layerBytes: 1_000 })]));

  const start = async (insecureHosts: readonly string[]): Promise<void> => {
    manager = await startManager(config, { job: { preheat: { allowCIDRs: ['127.0.0.0/8'], insecureHosts } } });
    root = await rootOf(manager);
    database = await Database.open(config);
  };
  const stop = async (): Promise<void> => {
    await database[Symbol.asyncDispose]();
    await manager[Symbol.asyncDispose]();
  };
  before(async () => {
    engine = await kind.start();
    config = await engine.newDatabase();
    registry = await ScriptedRegistry.start();
    target = await ScriptedRegistry.start();
    for (const [tag, image] of images) registry.add('team/app', tag, image);
    await start([target.host]);
  });
  after(async () => {
    await stop();
    for (const each of [registry, target, engine]) await each[Symbol.asyncDispose]();
  });

  const create = async (name: string, more: object = {}): Promise<string> => {
    const body = { name, source: `http://${registry.host}/team/app`, tags: ['v*'], ...more };
    const { id } = await root.ok<Id>('POST', '/api/v1/replication-rules', body);
    return `/api/v1/replication-rules/${id}`;
  };
  const newCluster = async (name: string): Promise<number> => {
    const body = { name, config: {}, client_config: {}, scopes: {}, is_default: false };
    return (await root.ok<Id>('POST', '/api/v1/scheduler-clusters', body)).id;
  };
  const tagsOf = (path: string): Promise<Tag[]> => root.ok('GET', `${path}/tags`);
  const placesOf = async (path: string): Promise<number[]> => {
    const ids = (await tagsOf(path)).flatMap(({ clusters }) => clusters.map((copy) => copy.scheduler_cluster_id));
    return [...new Set(ids)].toSorted((a, b) => a - b);
  };
  /** As if nodes had reported it. */
  const proveAll = async (path: string): Promise<void> => {
    await eventually(async () => {
      const tags = await tagsOf(path);
      assert.ok(tags.length > 0 && tags.every(({ digest, clusters }) => digest !== '' && clusters.length > 0));
    });
    const ruleId = Number(path.split('/').at(-1));
    const tags = await database.db.selectFrom('replication_tag').selectAll().where('rule_id', '=', ruleId).execute();
    for (const { id, digest } of tags)
      await database.db
        .updateTable('replication_copy')
        .set({ state: 'proven', digest, proven_at: 1, bytes: 5, attempt: 0, retry_at: 0, error: '' })
        .where('tag_id', '=', id)
        .execute();
  };
  const statesOf = async (path: string): Promise<string[]> =>
    (await tagsOf(path)).flatMap(({ clusters }) => clusters.map(({ state, digest }) => `${state} ${digest === ''}`));

  test('another platform, or other nodes, have proven nothing; the same platform by its name has', async () => {
    const path = await create('platform');
    await root.ok('PATCH', path, { enabled: false });
    await proveAll(path);
    await root.ok('PATCH', path, { platform: 'linux/amd64', bio: 'the one that was meant' });
    assert.deepEqual(new Set(await statesOf(path)), new Set(['proven false']));
    for (const change of [{ platform: 'linux/arm64' }, { scope: 'all_peers' }]) {
      await proveAll(path);
      await root.ok('PATCH', path, change);
      assert.deepEqual(new Set(await statesOf(path)), new Set(['waiting true']), JSON.stringify(change));
    }
  });

  test('what was begun for the rule as it was is stopped, and counts for nothing', async () => {
    const path = await create('begun', { concurrency: 1, tags: ['v1'] });
    const job = await eventually(async () => {
      const [copy] = (await tagsOf(path)).flatMap(({ clusters }) => clusters);
      assert.ok(copy && copy.job_id > 0);
      return copy.job_id;
    });
    // It waits for a scheduler, or has failed for want of one: here it is one that runs for long.
    await database.db
      .updateTable('job')
      .set({ state: 'PENDING', lease_owner: 'another', lease_expires_at: Date.now() + 60_000 })
      .where('id', '=', job)
      .execute();
    await database.db.updateTable('replication_copy').set({ state: 'running' }).where('job_id', '=', job).execute();
    await root.ok('PATCH', path, { platform: 'linux/arm64' });
    const { cancel_requested: cancelled } = await database.db
      .selectFrom('job')
      .select('cancel_requested')
      .where('id', '=', job)
      .executeTakeFirstOrThrow();
    assert.equal(cancelled, 1);
    await eventually(async () => {
      const [copy] = (await tagsOf(path)).flatMap(({ clusters }) => clusters);
      assert.ok(copy && copy.job_id > job, 'another one is begun');
    });
    await root.ok('DELETE', path);
  });

  test('tags, clusters and a target that a rule does not name any more have no copies, though the source is away', async () => {
    const second = await newCluster('second');
    const path = await create('named', { tags: ['*'], scheduler_cluster_ids: [1, second] });
    await eventually(async () => assert.deepEqual(await placesOf(path), [1, second]));
    registry.script = (request) => {
      request.socket.destroy();
      return true;
    };
    await root.ok('PATCH', path, { scheduler_cluster_ids: [second] });
    assert.deepEqual(await placesOf(path), [second]);
    for (const ids of [[1, second], [second], [1, second]])
      await root.ok('PATCH', path, { scheduler_cluster_ids: ids });
    await eventually(async () => assert.deepEqual(await placesOf(path), [1, second]));
    await root.ok('PATCH', path, { scheduler_cluster_ids: [second] });
    await root.ok('PATCH', path, { tags: ['v*'] });
    assert.deepEqual((await tagsOf(path)).map(({ tag }) => tag).toSorted(), ['v1', 'v2']);
    registry.script = () => false;
    await root.ok('DELETE', path);
  });

  test('a cluster that joins has copies to wait for, and one that is deleted has none', async () => {
    const path = await create('all');
    const before = await eventually(async () => {
      const [tags, places] = [await tagsOf(path), await placesOf(path)];
      assert.ok(places.includes(1) && tags.length === 2 && tags.every(({ digest }) => digest !== ''));
      return places;
    });
    await root.ok('PATCH', path, { enabled: false });
    const asked = registry.count('GET', '/tags/list');
    const third = await newCluster('third');
    await eventually(async () => assert.deepEqual(await placesOf(path), [...before, third]));
    await root.ok('DELETE', `/api/v1/scheduler-clusters/${third}`);
    await eventually(async () => assert.deepEqual(await placesOf(path), before));
    assert.equal(registry.count('GET', '/tags/list'), asked, 'the source is not asked for that');
    await root.ok('DELETE', path);
  });

  test('a tag whose image the source has lost is looked up again', async () => {
    const [old, now] = [images.get('v1'), makeImage({ layers: 1, layerBytes: 1_000 })];
    assert.ok(old);
    const gone = old.manifest.digest;
    let moved = false;
    registry.script = ({ method, url = '' }, response) => {
      if (method !== 'GET' || !url.endsWith(gone)) return false;
      moved = true;
      registry.add('team/app', 'v1', now);
      response.writeHead(404).end();
      return true;
    };
    const path = await create('moved', { tags: ['v1'], to_clusters: false, target: `http://${target.host}/moved` });
    await eventually(async () => {
      const [tag] = await tagsOf(path);
      assert.deepEqual([tag?.target?.state, tag?.target?.digest], ['proven', now.manifest.digest]);
    });
    assert.ok(moved);
    registry.script = () => false;
    registry.add('team/app', 'v1', old);
    await root.ok('DELETE', path);
  });

  test('a target that asks for patience is asked by no other tag of the rule', async () => {
    const many = Array.from({ length: 12 }, (_, index) => `p${index}`);
    const image = makeImage({ layers: 1, layerBytes: 1_000 });
    for (const tag of many) registry.add('team/app', tag, image);
    target.asked.length = 0;
    target.script = (_request, response) => {
      response.writeHead(429, { 'retry-after': '300' }).end();
      return true;
    };
    const path = await create('patience', {
      tags: ['p*'],
      concurrency: 2,
      to_clusters: false,
      target: `http://${target.host}/patience`,
    });
    const ruleId = Number(path.split('/').at(-1));
    await eventually(async () => {
      const copies = await database.db
        .selectFrom('replication_copy')
        .selectAll()
        .where('rule_id', '=', ruleId)
        .execute();
      assert.equal(copies.length, many.length);
      for (const { state, retry_at: at } of copies)
        assert.ok(state === 'waiting' && Number(at) > Date.now() + 200_000, `${state} ${at}`);
    });
    assert.ok(target.asked.length <= 2, `${target.asked.length} questions`);
    target.script = () => false;
    await root.ok('DELETE', path);
  });

  test('what the operator does not allow any more is not pushed, and such a rule can be paused and mended', async () => {
    const path = await create('open', { enabled: false, to_clusters: false, target: `http://${target.host}/open` });
    await stop();
    await start([]);
    target.asked.length = 0;
    await root.ok('PATCH', path, { enabled: true, target: `http://${target.host}/open` });
    await eventually(async () => {
      const tags = await tagsOf(path);
      assert.equal(tags.length, 2);
      for (const tag of tags) assert.match(tag.target?.error ?? '', /not encrypted/);
    });
    assert.deepEqual(target.asked, []);
    await root.ok('PATCH', path, { enabled: false });
    const other = await root.request('PATCH', path, { target: `http://${target.host}/other` });
    assert.match(JSON.stringify(other.body), /not encrypted/);
    await root.ok('PATCH', path, { target: 'registry.invalid/mirror' });
    await root.ok('DELETE', path);
  });

  test('a rule that is deleted leaves no preheat behind that still waits', async () => {
    const path = await create('deleted', { concurrency: 1, tags: ['v1'] });
    const id = await eventually(async () => {
      const [copy] = (await tagsOf(path)).flatMap(({ clusters }) => clusters);
      assert.ok(copy && copy.job_id > 0);
      return copy.job_id;
    });
    await database.db
      .updateTable('job')
      .set({ state: 'PENDING', lease_owner: 'another', lease_expires_at: Date.now() + 60_000 })
      .where('id', '=', id)
      .execute();
    await database.db.updateTable('replication_copy').set({ state: 'running' }).where('job_id', '=', id).execute();
    await root.ok('DELETE', path);
    const job = await database.db.selectFrom('job').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    assert.equal(job.cancel_requested, 1);
    assert.equal((await root.ok<Job>('GET', `/api/v1/jobs/${id}`)).bio, 'replication deleted');
  });
}
