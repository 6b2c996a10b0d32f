/** An object that is deleted with dfstore at one node is given at no other node's door, however long those may rely on what the store said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runDfstore } from '../../src/cli/dfstore/dfstore.ts';
import type { DfdaemonConfig } from '../../src/dfdaemon/config.ts';
import { parseConfig } from '../../src/core/config/config.ts';
import { dfdaemonConfigSchema } from '../../src/dfdaemon/config.ts';
import { runTool } from '../cli/tool-io.ts';
import { ask } from '../proxy/support/proxy-fixture.ts';
import { startSmallStore, storeKey } from '../proxy/support/s3-store.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';

test('dfstore rm is known at the doors of other nodes when it returns', { timeout: 60_000 }, async () => {
  await using owned = new AsyncDisposableStack();
  const store = owned.use(await startSmallStore());
  const swarm = owned.use(await LocalSwarm.create());
  await swarm.startScheduler();
  const bucket = { name: 'stored', endpoint: store.origin.url, ...storeKey, anonymous: true, ttl: '1h' };
  const yaml = JSON.stringify({ doors: { s3: { tcpListen: { port: 0 }, buckets: [bucket] } } });
  const { s3 } = parseConfig(dfdaemonConfigSchema, yaml, 'doors.yaml').config.doors;
  const adjust = (config: DfdaemonConfig): DfdaemonConfig => ({ ...config, doors: { ...config.doors, s3 } });
  const [one, two] = [await swarm.startDaemon('one', { adjust }), await swarm.startDaemon('two', { adjust })];
  store.objects.set('stored/key', Buffer.from('what there was'));

  const at = async (daemon: Daemon): Promise<number> => {
    const port = Number(daemon.service.addresses['s3']?.split(':').at(-1));
    const { status } = await ask({ port }, '/stored/key', { headers: { host: `127.0.0.1:${port}` } });
    return status;
  };
  for (const daemon of [one, two, two]) assert.equal(await at(daemon), 200);
  const asked = store.origin.seen.length;
  assert.equal(await at(two), 200);
  assert.equal(store.origin.seen.length, asked, 'the door relies on what it has heard');

  const words = ['rm', 's3://stored/key', '--storage-endpoint', store.origin.url, '--storage-region', 'us-east-1'];
  const key = ['--storage-access-key-id', storeKey.accessKeyID, '--storage-access-key-secret', storeKey.secretKey];
  const { error } = await runTool(runDfstore, [...words, ...key, '-e', one.socket]);
  assert.ifError(error);
  assert.deepEqual([await at(one), await at(two)], [404, 404]);
});
