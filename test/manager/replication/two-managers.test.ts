/** Two managers over one database: what one of them is long at is not done by the other too, and what one leaves behind is. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Database } from '../../../src/manager/db/database.ts';
import { replicationLeaseMs } from '../../../src/manager/limits.ts';
import type { ManagerService } from '../../../src/manager/manager-service.ts';
import { newCopy } from '../../../src/manager/replication/copy-store.ts';
import { targetId } from '../../../src/manager/replication/rule-row.ts';
import { makeImage } from '../../proxy/support/images.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { databaseConfig, eventually } from '../support/engines.ts';
import { rootOf, startManager } from '../support/manager-fixture.ts';
import type { RestClient } from '../support/rest-client.ts';
import { ScriptedRegistry } from './scripted-registry.ts';

interface Rule {
  readonly id: number;
  readonly target_copies: { readonly proven: number } | null;
}

describe('two managers', () => {
  let directory: TemporaryDirectory;
  let source: ScriptedRegistry;
  let target: ScriptedRegistry;
  let managers: ManagerService[] = [];
  let root: RestClient;
  const config = () => databaseConfig({ sqlite: { path: directory.join('manager.db') } });
  const start = async (): Promise<void> => {
    const job = { preheat: { allowCIDRs: ['127.0.0.0/8'], insecureHosts: [target.host] } };
    managers.push(await startManager(config(), { job }));
    root = await rootOf(managers[0] as ManagerService);
  };
  const stop = async (): Promise<void> => {
    for (const manager of managers) await manager[Symbol.asyncDispose]();
    managers = [];
  };
  before(async () => {
    directory = await temporaryDirectory('two-managers-');
    source = await ScriptedRegistry.start();
    target = await ScriptedRegistry.start();
    for (const name of ['slow', 'left']) source.add(name, 'v1', makeImage({ layers: 1, layerBytes: 1_000 }));
    await start();
    await start();
  });
  after(async () => {
    await stop();
    for (const each of [source, target, directory]) await each[Symbol.asyncDispose]();
  });
  const create = async (name: string, enabled = true): Promise<string> => {
    const place = { source: `http://${source.host}/${name}`, to_clusters: false, target: `http://${target.host}/m` };
    const { id } = await root.ok<Rule>('POST', '/api/v1/replication-rules', { name, enabled, ...place });
    return `/api/v1/replication-rules/${id}`;
  };
  const proven = (path: string, deadlineMs: number): Promise<void> =>
    eventually(async () => {
      const { target_copies: copies } = await root.ok<Rule>('GET', path);
      assert.equal(copies?.proven, 1, JSON.stringify(await root.ok('GET', `${path}/tags`)));
    }, deadlineMs);

  test('a list that lasts longer than the lease is made once', async () => {
    source.script = (request, response) => {
      if (!request.url?.includes('/slow/tags/list')) return false;
      void delay(replicationLeaseMs + 3_000).then(() => response.end('{"tags":["v1"]}'));
      return true;
    };
    const path = await create('slow');
    await proven(path, 60_000);
    assert.equal(source.count('GET', '/slow/tags/list'), 1);
    await root.ok('DELETE', path);
  });

  test('what a manager that died was at is taken over, once its lease has run out', async () => {
    const path = await create('left', false);
    const id = Number(path.split('/').at(-1));
    await stop();
    let freeAtMs = 0;
    {
      await using database = await Database.open(config());
      const now = await database.nowMs();
      const stamps = { rule_id: id, created_at: now, updated_at: now };
      const tag = { repository: 'left', tag: 'v1', state: 'look', attempt: 0, retry_at: 0, error: '', digest: '' };
      const tagId = await database.insert('replication_tag', { ...stamps, ...tag });
      await database.insert('replication_copy', {
        ...newCopy,
        ...stamps,
        tag_id: tagId,
        cluster_id: targetId,
        state: 'running',
        started_at: now - replicationLeaseMs + 2_000,
      });
      await database.db.deleteFrom('lease').where('name', '=', 'replication').execute();
      freeAtMs = now + 2_000;
      const lease = { name: 'replication', owner: 'dead', expires_at: freeAtMs };
      await database.db.insertInto('lease').values(lease).execute();
      await database.db.updateTable('replication_rule').set({ enabled: 1 }).where('id', '=', id).execute();
    }
    let firstAtMs = Infinity;
    source.script = () => {
      firstAtMs = Math.min(firstAtMs, Date.now());
      return false;
    };
    await start();
    await proven(path, 20_000);
    assert.ok(firstAtMs >= freeAtMs, 'until then the other one may be at it');
  });
});
