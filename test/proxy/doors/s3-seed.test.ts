import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { parseConfig } from '../../../src/core/config/config.ts';
import { silentLogger } from '../../../src/core/process/logger.ts';
import { dfdaemonConfigSchema } from '../../../src/dfdaemon/config.ts';
import { S3Buckets } from '../../../src/dfdaemon/proxy/doors/s3/s3-buckets.ts';
import { unknownCaller } from '../../../src/rpc/server/caller.ts';
import { LocalSwarm, type Daemon } from '../../support/local-swarm.ts';
import { ask, type Answer } from '../support/proxy-fixture.ts';
import { startSmallStore, storeKey, type SmallStore } from '../support/s3-store.ts';

/** What a node waits for its scheduler before it helps itself: not what a busy machine takes. */
const patienceMs = 300_000;

/** Programs of this machine read without a key here: whose key the store is shown is what this is about. */
void describe('seed peers and the door for clients of S3', () => {
  let store: SmallStore;
  const model = randomBytes(9_000_000);
  before(async () => {
    store = await startSmallStore();
    store.objects.set('models/model', model);
    store.objects.set('models/small', model.subarray(0, 4000));
  });
  after(() => store[Symbol.asyncDispose]());

  const door = (more: Record<string, unknown> = {}): string => {
    const bucket = { name: 'models', anonymous: true, endpoint: store.origin.url, ...storeKey, ...more };
    return `doors: ${JSON.stringify({ s3: { tcpListen: { port: 0 }, buckets: [bucket] } })}`;
  };
  const start = async (seedYaml: string, mayAsk: boolean): Promise<{ swarm: LocalSwarm; nodes: Daemon[] }> => {
    const swarm = await LocalSwarm.create();
    await swarm.startScheduler();
    await swarm.startDaemon('seed', { seed: true, yaml: seedYaml });
    const nodes: Daemon[] = [];
    for (const name of ['one', 'two']) {
      const node = await swarm.startDaemon(name, {
        yaml: door(),
        adjust: (config) => ({
          ...config,
          scheduler: { ...config.scheduler, disableAutoBackSource: !mayAsk, scheduleTimeout: patienceMs },
        }),
      });
      nodes.push(node);
    }
    return { swarm, nodes };
  };
  const read = (node: Daemon, key: string, headers: Record<string, string> = {}): Promise<Answer> => {
    const port = Number(node.service.addresses['s3']?.split(':').at(-1));
    return ask({ port }, `/models/${key}`, { headers: { host: `127.0.0.1:${port}`, ...headers } });
  };

  it('a seed with the same bucket and key fetches for nodes that may not', async () => {
    const { swarm, nodes } = await start(door(), false);
    await using _swarm = swarm;
    const given = store.given.bytes;
    const answers = await Promise.all(nodes.map((node) => read(node, 'model')));
    for (const { status, headers, body } of answers) {
      assert.equal(status, 200);
      assert.ok(body.equals(model));
      assert.ok(headers['x-dragonfly-task-id'], 'not by the node itself');
    }
    assert.ok(store.given.bytes - given < 2 * model.length, 'one copy, and what is compared with it');
  });

  it('one without it, or with another key, is told nothing, and the nodes fetch for themselves', async () => {
    for (const yaml of ['', door({ secretKey: 'another' })]) {
      const { swarm, nodes } = await start(yaml, true);
      await using _swarm = swarm;
      const given = store.given.bytes;
      const answers = await Promise.all(nodes.map((node) => read(node, 'model')));
      for (const { body, headers } of answers) {
        assert.ok(body.equals(model));
        assert.ok(headers['x-dragonfly-task-id']);
      }
      assert.ok(store.given.bytes - given < 2 * model.length, 'one copy, and what is compared with it');
    }
  });

  it('where a bucket says so, a node shows the store its own credentials', async () => {
    const before = { ...process.env };
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: storeKey.accessKeyID, AWS_SECRET_ACCESS_KEY: storeKey.secretKey });
    const more = { accessKeyID: undefined, secretKey: undefined, ownCredentials: true };
    const swarm = await LocalSwarm.create();
    await using _swarm = swarm;
    try {
      const socket = swarm.directory.join('door.sock');
      await writeFile(socket, 'not a socket');
      const yaml = door(more).replace('{"port":0}', `{"port":0},"unixListen":{"socket":"${socket}"}`);
      await assert.rejects(swarm.startDaemon('refused', { yaml }), { code: 'IN_USE' });
      assert.equal(await readFile(socket, 'utf8'), 'not a socket', 'what is none of ours stays');
      const node = await swarm.startDaemon('node', { yaml: door(more) });
      assert.ok((await read(node, 'small')).body.equals(model.subarray(0, 4000)));
      assert.ok((await read(node, 'model')).body.equals(model));
    } finally {
      process.env = before;
    }
  });

  it('an identity that was invented gets no key', async () => {
    const { config } = parseConfig(dfdaemonConfigSchema, door(), 'dfget.yaml');
    using buckets = new S3Buckets({ config: config.doors.s3, egress: {}, trust: {}, logger: silentLogger });
    const asked = { caller: unknownCaller, url: 's3://models/small', header: {} };
    const invented = { ...asked, contentForCalculatingTaskId: `dragonfly:s3:${'0'.repeat(64)}` };
    await assert.rejects(buckets.lend(invented), { code: 'PERMISSION_DENIED' });
    assert.equal(await buckets.lend(asked), asked, 'what began elsewhere is as it was');
  });
});
