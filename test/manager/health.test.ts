/** What probes and Prometheus see. */
// needs: postgres, initdb, mariadbd, mariadb-install-db
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManagerDefinition, SourceType } from '../../gen/manager/v2/manager.ts';
import { databaseConfig, engineKinds } from './support/engines.ts';
import { TestClient } from './support/grpc-client.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';
import { RestClient } from './support/rest-client.ts';

test('the metrics count members, searches and requests by route', async () => {
  await using manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }));
  using client = new TestClient(ManagerDefinition, manager.grpcPort);
  const daemon = {
    sourceType: SourceType.PEER_SOURCE,
    hostname: 'n',
    ip: '10.0.0.7',
    version: '1',
    commit: 'c',
    schedulerClusterId: 0,
  };
  await assert.rejects(client.call('listSchedulers', daemon));
  const root = await rootOf(manager);
  await root.ok('POST', '/api/v1/schedulers', { host_name: 's', ip: '10.0.0.1', port: 1, scheduler_cluster_id: 1 });
  await root.ok('GET', '/api/v1/schedulers/1');
  const { body } = await root.request('GET', '/metrics');
  for (const line of [
    'dragonfly_manager_search_scheduler_cluster_total{version="1",commit="c"} 1',
    'dragonfly_manager_search_scheduler_cluster_failure_total{version="1",commit="c"} 1',
    'dragonfly_manager_members{kind="scheduler",state="inactive"} 1',
    'dragonfly_manager_requests_total{code="200",method="GET",handler="/api/v1/schedulers/:id"} 1',
  ]) {
    assert.ok(String(body).includes(line), line);
  }
});

for (const kind of engineKinds.filter(({ name }) => name !== 'sqlite')) {
  test(`a manager whose ${kind.name} is gone lives but is not ready`, { skip: kind.missing }, async () => {
    const engine = await kind.start();
    await using manager = await startManager(await engine.newDatabase());
    const client = new RestClient(manager.restPort);
    assert.equal((await client.request('GET', '/readyz')).status, 200);
    await engine[Symbol.asyncDispose]();
    const answer = await client.request('GET', '/readyz');
    assert.deepEqual([answer.status, answer.body], [503, { database: 'UNAVAILABLE' }]);
    assert.equal((await client.request('GET', '/healthy')).status, 200);
    const write = await client.request('POST', '/api/v1/users/signin', { name: 'root', password: 'x' });
    assert.ok(write.status >= 500, String(write.status));
    assert.doesNotMatch(JSON.stringify(write.body), /ECONNREFUSED|127\.0\.0\.1/);
  });
}
