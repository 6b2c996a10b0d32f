/**
 * A node dies as in a power cut between the acknowledgement of a write-back and the moment at which the store has everything, at each request that
 * stands between the two: what was acknowledged can be read meanwhile, and arrives in the store once and right.
 *
 * DRAGONFLY_KILLS=all tries every request, and both what the store did not hear and what it did unheard.
 */
// needs: ceph-mon, ceph-osd, ceph, radosgw
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { runDfstore } from '../../src/cli/dfstore/dfstore.ts';
import { LocalCluster, type LocalDaemon } from '../../src/cli/up/cluster.ts';
import { runTool } from '../cli/tool-io.ts';
import { CephGateway, cephMissing } from '../source/ceph-gateway.ts';
import { productCommand } from '../support/product.ts';
import { makeRandomFile } from '../support/random-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { StoreRelay } from './store-relay.ts';

const fileBytes = 17 * 2 ** 20;
/** Of a file of three parts: what is asked after the acknowledgement. */
const requests = [
  ['HEAD', /./],
  ['POST', /\?uploads=/],
  ['PUT', /partNumber=1&/],
  ['PUT', /partNumber=3&/],
  ['POST', /\?uploadId=/],
] as const;

const instants = requests.flatMap(([method, target], index) =>
  (['drop', 'lose'] as const)
    .filter((_, way) => process.env['DRAGONFLY_KILLS'] === 'all' || (index + way) % 2 === 1)
    .map((fate) => ({ method, target, fate })),
);

test(`a write-back and ${instants.length} sudden deaths`, { timeout: 900_000, skip: cephMissing }, async (context) => {
  await using directory = await temporaryDirectory('df-death-');
  await using store = await CephGateway.start(directory.path);
  await store.put('bucket');
  await using relay = await StoreRelay.start(store.endpoint);
  await using cluster = await LocalCluster.start({
    directory: directory.path,
    command: productCommand,
    peers: 3,
    seeds: 0,
  });
  const [importer, other] = cluster.peers;
  assert.ok(importer && other);
  const dfstore = async (daemon: LocalDaemon, verb: string, ...words: string[]): Promise<string> => {
    const storage = {
      endpoint: relay.endpoint,
      region: 'us-east-1',
      'access-key-id': store.accessKeyId,
      'access-key-secret': store.accessKeySecret,
    };
    const flags = Object.entries(storage).flatMap(([name, value]) => [`--storage-${name}`, value]);
    const { error, stdout } = await runTool(runDfstore, [verb, ...flags, '-e', daemon.socket, ...words]);
    if (error) throw error;
    return stdout.toString();
  };
  const output = directory.join('out');
  const exported = async (daemon: LocalDaemon, url: string): Promise<string> => {
    await dfstore(daemon, 'export', url, '-O', output, '--overwrite', '--timeout', '30s');
    return createHash('sha256')
      .update(await readFile(output))
      .digest('hex');
  };

  for (const [round, { method, target, fate }] of instants.entries()) {
    const url = `s3://bucket/f-${round}`;
    const { path, sha256 } = await makeRandomFile(directory.join(`f-${round}`), fileBytes);
    const killed = Promise.withResolvers<void>();
    let acknowledged = false;
    relay.fate = (asked, where) => {
      // What the import asks before anything is acknowledged is let through.
      if (!acknowledged && asked === 'HEAD') {
        acknowledged = true;
        return 'pass';
      }
      return asked === method && target.test(where) ? fate : 'pass';
    };
    relay.struck = () => {
      relay.fate = () => 'pass';
      relay.struck = () => undefined;
      cluster.kill(importer.name).then(killed.resolve, killed.reject);
    };
    await dfstore(importer, 'import', path, '--url', url, '--write', 'back', '--timeout', '60s').catch(
      (error: unknown) => {
        // The upload begins as soon as the replicas are there: the node may die before its client has heard of it.
        context.diagnostic(`not acknowledged: ${(error as Error).message}`);
      },
    );
    await killed.promise;
    const exists = async (): Promise<boolean> => (await exported(other, url)) === sha256;
    await waitFor(`${url} at another node`, exists, 60_000);
    await cluster.restart(importer.name);
    const stored = async (): Promise<boolean> =>
      (JSON.parse(await dfstore(other, 'stat', url, '--json')) as { store: string }).store === 'stored';
    await waitFor(`${url} in the store`, stored, 90_000);
    const objects = relay.asked.filter((one) => one.target.startsWith(`/bucket/f-${round}`) && one.status === 200);
    const completed = objects.filter((one) => one.method === 'POST' && /\?uploadId=/.test(one.target)).length;
    context.diagnostic(`${fate} ${method} ${target.source}: completed ${completed} time, ${objects.length} requests`);
    assert.equal(completed, 1);
    assert.equal(await contentInStore(store, `bucket/f-${round}`), sha256);
  }
});

/** By the store's own answer, not by way of the product. */
async function contentInStore(store: CephGateway, path: string): Promise<string> {
  const { emptyPayloadHash, signV4 } = await import('../../src/dfdaemon/source/sigv4.ts');
  const url = new URL(`${store.endpoint}/${path}`);
  const { accessKeyId, accessKeySecret: secretAccessKey } = store;
  const signed = await signV4(
    { method: 'GET', url, header: { 'x-amz-content-sha256': emptyPayloadHash }, date: new Date() },
    { accessKeyId, secretAccessKey, region: 'us-east-1', service: 's3' },
  );
  const response = await fetch(url, { headers: signed, signal: AbortSignal.timeout(60_000) });
  assert.equal(response.status, 200);
  return createHash('sha256')
    .update(Buffer.from(await response.arrayBuffer()))
    .digest('hex');
}
