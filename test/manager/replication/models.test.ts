/** A rule for a model: a cluster has its files before anybody asks, under the names by which clients of the hub get them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startModelHub } from '../../proxy/support/model-hub.ts';
import { ask, isProbe } from '../../proxy/support/proxy-fixture.ts';
import { freePort } from '../../support/free-port.ts';
import { LocalSwarm } from '../../support/local-swarm.ts';
import { databaseConfig, eventually } from '../support/engines.ts';
import { rootOf, startManager } from '../support/manager-fixture.ts';

interface Tag {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly clusters: readonly { state: string; digest: string; bytes: number; error: string }[];
}

test('revisions of a model that a pattern matches are proven by the cluster, and clients ask its store for nothing', async () => {
  await using owned = new AsyncDisposableStack();
  const hub = owned.use(await startModelHub());
  const swarm = owned.use(await LocalSwarm.create());
  const grpcPort = await freePort();
  const manager = owned.use(
    await startManager(databaseConfig({ sqlite: { path: swarm.directory.join('manager.db') } }), {
      server: { grpc: { listenIP: '127.0.0.1', port: { start: grpcPort } } },
      job: { preheat: { allowCIDRs: ['127.0.0.0/8'], hubEndpoint: hub.hub.url } },
    }),
  );
  const root = await rootOf(manager);
  const scheduler = await swarm.startScheduler(
    0,
    `{addr: "127.0.0.1:${grpcPort}", schedulerClusterID: 1, keepAlive: {interval: 500ms}}`,
  );
  const yaml = `doors: {huggingface: {endpoint: "${hub.hub.url}"}}`;
  await swarm.startDaemon('seed', { seed: true, schedulers: [scheduler], yaml });
  const peer = await swarm.startDaemon('peer', { schedulers: [scheduler], yaml });

  const { id } = await root.ok<{ id: number }>('POST', '/api/v1/replication-rules', {
    name: 'model',
    source: 'hf://org/op*',
    tags: ['v1*', 'main'],
  });
  await eventually(async () => {
    const tags = await root.ok<Tag[]>('GET', `/api/v1/replication-rules/${id}/tags`);
    assert.ok(tags.length > 0, JSON.stringify(await root.ok('GET', `/api/v1/replication-rules/${id}`)));
    assert.deepEqual(
      tags.map(({ repository, tag, digest }) => [repository, tag, digest]),
      ['main', 'v1.0'].map((tag) => ['org/open', tag, hub.commit]),
    );
    const bytes = hub.model.length + hub.config.length;
    for (const { clusters } of tags)
      assert.deepEqual(
        clusters.map(({ state, digest, error, ...of }) => [state, digest, error, of.bytes]),
        [['proven', hub.commit, '', bytes]],
      );
  }, 30_000);
  const gets = (): number => hub.store.seen.filter(({ headers }) => !isProbe(headers.range)).length;
  const before = gets();
  assert.ok(before > 0);
  const port = Number(peer.service.addresses['proxy']?.split(':').at(-1));
  for (const [file, content] of [
    ['model.safetensors', hub.model],
    ['config.json', hub.config],
  ] as const) {
    const { status, body } = await ask({ port }, `/hf/org/open/resolve/main/${file}`, {
      headers: { host: `127.0.0.1:${port}` },
    });
    assert.equal(status, 200);
    assert.ok(body.equals(content));
  }
  assert.equal(gets(), before, 'the store is asked for nothing more');
});

test('a preheat of a model names a repository and a revision', async () => {
  await using owned = new AsyncDisposableStack();
  const swarm = owned.use(await LocalSwarm.create());
  const manager = owned.use(
    await startManager(databaseConfig({ sqlite: { path: swarm.directory.join('manager.db') } })),
  );
  const root = await rootOf(manager);
  for (const url of [
    'hf://owner',
    'hf://owner/name*',
    'https://hub.example/owner/name',
    'hf://owner/../x',
    'hf://owner/..',
  ]) {
    const answer = await root.request('POST', '/api/v1/jobs', { type: 'preheat', args: { type: 'model', url } });
    assert.ok(answer.status >= 400 && answer.status < 500, `${url}: ${answer.status}`);
  }
});
