import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Channels } from '../../src/rpc/channels.ts';
import { ManagerClient } from '../../src/rpc/manager-client.ts';
import { DragonflyError } from '../../src/core/errors.ts';
import { startManager } from '../manager/support/manager-fixture.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { SchedulerFixture, url } from './fixture.ts';
import { TestManager } from './test-manager.ts';

void describe('with a manager', () => {
  void it('the scheduler registers, is found by daemons, and is gone when it stops', { timeout: 120_000 }, async () => {
    await using directory = await temporaryDirectory();
    await using manager = await startManager({
      sqlite: { path: `${directory.path}/manager.db` },
      poolSize: 5,
    });
    const address = `127.0.0.1:${manager.grpcPort}`;
    await using channels = new Channels();
    const client = new ManagerClient(channels, ['127.0.0.1:1', address]);
    const list = () =>
      client.listSchedulers({
        sourceType: 1,
        hostname: 'peer',
        ip: '127.0.0.1',
        version: '1',
        commit: '1',
        schedulerClusterId: 0,
      });
    await using fixture = await SchedulerFixture.start(
      `manager: { addr: "${address}", keepAlive: { interval: 100ms } }`,
    );
    const { schedulers } = await list();
    assert.deepEqual(
      schedulers.map(({ hostname, port, state }) => ({ hostname, port, state })),
      [{ hostname: 'scheduler-1', port: fixture.scheduler.port, state: 'active' }],
    );
    assert.deepEqual(JSON.parse(Buffer.from(schedulers[0]?.features ?? []).toString()), ['schedule', 'preheat']);
    await fixture.scheduler[Symbol.asyncDispose]();
    await waitFor('the scheduler to be inactive', async () => {
      const answer = await list().catch((error: unknown) => error as DragonflyError);
      return answer instanceof DragonflyError ? answer.code === 'NOT_FOUND' : answer.schedulers.length === 0;
    });
  });
});

void describe('the dynamic configuration', () => {
  void it(
    'follows changes, sets priorities and load limits, and outlives the manager',
    { timeout: 120_000 },
    async () => {
      await using directory = await temporaryDirectory();
      const manager = new TestManager();
      manager.clusterConfig = { candidate_parent_limit: 3, filter_parent_limit: 5_000 };
      manager.applications = [
        {
          id: 1,
          name: 'app',
          url: '',
          bio: '',
          priority: {
            value: 1,
            urls: [
              { regex: 'allowed', value: 6 },
              { regex: '(', value: 2 },
            ],
          },
        },
      ];
      await manager.server.start();
      const { port } = manager.server;
      const yaml = `manager: { addr: "127.0.0.1:${port}", keepAlive: { interval: 50ms } }`;
      const cache = `${directory.path}/cache`;
      await using fixture = await SchedulerFixture.start(yaml, {}, cache);
      assert.equal(manager.registrations[0]?.hostname, 'scheduler-1');
      // It names no extensions, as one of the original: preheats would be sent to a queue that nobody reads.
      assert.deepEqual(manager.registrations[0]?.features, ['schedule']);
      assert.ok(manager.beats > 0, 'active before start resolves');

      const host = await fixture.host();
      assert.equal(fixture.scheduler.brain.swarm.host(host.id)?.slotLimit, 7);
      const seed = await fixture.host({ type: 1 });
      assert.equal(fixture.scheduler.brain.swarm.host(seed.id)?.slotLimit, 9);
      const refused = fixture.peer(host, { extended: false }).register({ application: 'app' });
      await assert.rejects(refused.next(), { code: 'FAILED_PRECONDITION' });
      const { priorities } = fixture.scheduler.brain;
      assert.equal(priorities.resolve({ priority: 0, application: 'app', url: `${url}/allowed` }), 6);
      assert.equal(priorities.resolve({ priority: 3, application: 'app', url }), 3, "the request's own comes first");
      assert.equal(priorities.resolve({ priority: 0, application: 'other', url }), 0);

      manager.applications = [];
      manager.changes.push({ topic: 'application', id: 1, revision: 2, struckOff: undefined });
      await waitFor(
        'the change',
        () => fixture.scheduler.brain.priorities.resolve({ priority: 0, application: 'app', url }) === 0,
      );

      await manager.server[Symbol.asyncDispose]();
      await using alone = await SchedulerFixture.start(yaml, {}, cache);
      const late = await alone.host();
      assert.equal(alone.scheduler.brain.swarm.host(late.id)?.slotLimit, 7, 'from the copy on disk');

      const again = new TestManager(port);
      await again.server.start();
      await using _server = again.server;
      await waitFor('both to register again', () => again.registrations.length >= 2);
      await waitFor('keep-alives', () => again.beats > 2);
    },
  );

  void it('keeps working without any manager configured', { timeout: 120_000 }, async () => {
    await using fixture = await SchedulerFixture.start();
    const peer = fixture.peer(await fixture.host()).register();
    await peer.expect('needBackToSourceResponse');
  });
});
