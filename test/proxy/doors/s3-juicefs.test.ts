// needs: ceph-mon, ceph-osd, radosgw
/** JuiceFS on the door for clients of S3: a file system whose blocks are written through one node and read through another. */
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify, stripVTControlCharacters } from 'node:util';
import { CephGateway, cephMissing } from '../../source/ceph-gateway.ts';
import { LocalSwarm, type Daemon } from '../../support/local-swarm.ts';
import { waitFor } from '../../support/wait-for.ts';
import { countingRelay, type CountingRelay } from '../support/counting-relay.ts';

const execute = promisify(execFile);
const client = { accessKeyID: 'JUICE', secretKey: 'juice/secret' };
const missing = spawnSync('juicefs', ['version'], { stdio: 'ignore' }).error ? 'juicefs is not installed' : undefined;
const fuseMissing = existsSync('/dev/fuse') && process.geteuid?.() === 0 ? undefined : 'FUSE needs root and /dev/fuse';
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

void describe('JuiceFS at the door for clients of S3', { skip: cephMissing ?? missing, timeout: 400_000 }, () => {
  let swarm: LocalSwarm;
  let ceph: CephGateway;
  let relay: CountingRelay;
  const nodes: Daemon[] = [];
  before(async () => {
    swarm = await LocalSwarm.create();
    ceph = await CephGateway.start(swarm.directory.path);
    await ceph.put('stored');
    relay = await countingRelay(ceph.endpoint);
    await swarm.startScheduler();
    const { accessKeyId: accessKeyID, accessKeySecret: secretKey } = ceph;
    const bucket = { name: 'models', bucket: 'stored', endpoint: relay.url, accessKeyID, secretKey, writable: true };
    const s3 = { tcpListen: { port: 0 }, buckets: [bucket], clients: [client] };
    const yaml = `doors: ${JSON.stringify({ s3 })}\nobjectStorage: {enable: true}`;
    for (const name of ['one', 'two']) nodes.push(await swarm.startDaemon(name, { yaml }));
  });
  after(async () => {
    await swarm?.[Symbol.asyncDispose]();
    await relay?.[Symbol.asyncDispose]();
    await ceph?.[Symbol.asyncDispose]();
  });

  const bucketAt = (node: number): string => `http://${nodes[node]?.service.addresses['s3']}/models`;
  const databaseOf = (storage: string): string => `sqlite3://${swarm.directory.join(`${storage}.db`)}`;
  const keys = ['--access-key', client.accessKeyID, '--secret-key', client.secretKey];
  const juicefs = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, HOME: swarm.directory.path };
    const { stdout, stderr } = await execute('juicefs', args, { env, timeout: 240_000, maxBuffer: 2 ** 26 });
    return stdout + stderr;
  };

  async function found(storage: string, bucket: string, ...own: string[]): Promise<string[]> {
    const sizes = ['--big-object-size', '32M', '--small-object-size', '128K', '--small-objects', '20'];
    const told = await juicefs('objbench', '--storage', storage, ...own, ...sizes, '--threads', '2', bucket);
    const lines = stripVTControlCharacters(told).split('\n');
    return lines.filter((line) => /\|\s+(?:basic|sync) \|/.test(line)).map((line) => line.replaceAll(/\s+/g, ' '));
  }

  async function mounted(database: string, name: string, work: (directory: string) => Promise<void>): Promise<void> {
    const [directory, cache] = [swarm.directory.join(name), swarm.directory.join(`${name}-cache`)];
    await mkdir(directory);
    const options = ['--no-usage-report', '--cache-dir', cache, '--attr-cache', '0'];
    const env = { ...process.env, HOME: swarm.directory.path };
    const child: ChildProcess = spawn('juicefs', ['mount', ...options, database, directory], {
      env,
      stdio: 'ignore',
    });
    try {
      await waitFor('the file system to be mounted', async () => (await stat(directory)).ino === 1, 60_000);
      await work(directory);
    } finally {
      await execute('juicefs', ['umount', directory]).catch(() => execute('umount', ['-l', directory]));
      if (child.exitCode === null) await once(child, 'exit');
    }
  }

  it('its own test of object storages finds what it finds at the store itself', async (context) => {
    const store = ['--access-key', ceph.accessKeyId, '--secret-key', ceph.accessKeySecret];
    const direct = await found('s3', `${ceph.endpoint}/stored`, ...store);
    const here = await found('s3', bucketAt(0), ...keys);
    context.diagnostic(here.join('\n'));
    assert.ok(here.length > 12);
    assert.deepEqual(here, direct);
  });

  it('its own test of object storages by the gateway of dfdaemon 2.1', async (context) => {
    const here = await found('dragonfly', bucketAt(0));
    context.diagnostic(here.join('\n'));
    // As at every store of S3: what lies behind the end is an error there, where files on a disk are empty.
    const failed = here.filter(
      (line) => !/\| (?:pass|not support) \|$|get partial object \| failed .* out of r/.test(line),
    );
    assert.deepEqual(failed, []);
  });

  for (const [storage, own] of Object.entries({ s3: keys, dragonfly: [] })) {
    const title = `--storage ${storage}: files written by one node are read by another, and the store sends no block`;
    it(title, { skip: fuseMissing }, async (context) => {
      const database = databaseOf(storage);
      const format = ['format', '--storage', storage, '--bucket', bucketAt(0), ...own, '--trash-days', '0'];
      await juicefs(...format, database, `volume-${storage}`);
      const [big, small] = [randomBytes(21_000_003), randomBytes(70_000)];
      await mounted(database, `${storage}-writer`, async (directory) => {
        await mkdir(join(directory, 'tree'));
        await writeFile(join(directory, 'tree/big'), big);
        await writeFile(join(directory, 'tree/old'), small);
        await rename(join(directory, 'tree/old'), join(directory, 'tree/small'));
        await writeFile(join(directory, 'gone'), small);
        await rm(join(directory, 'gone'));
        await writeFile(join(directory, 'short'), big);
        await truncate(join(directory, 'short'), 5_000_000);
      });
      await juicefs('config', database, '--bucket', bucketAt(1), '--force', '--yes');
      relay.lines.length = 0;
      const sent = relay.sent.bytes;
      await mounted(database, `${storage}-reader`, async (directory) => {
        assert.equal(sha256(await readFile(join(directory, 'tree/big'))), sha256(big));
        assert.equal(sha256(await readFile(join(directory, 'tree/small'))), sha256(small));
        assert.equal(sha256(await readFile(join(directory, 'short'))), sha256(big.subarray(0, 5_000_000)));
        assert.equal(existsSync(join(directory, 'gone')), false);
      });
      const blocks = relay.lines.filter((line) => /^GET .*\/chunks\/.*_\d+_\d+(?:\?|$)/.test(line));
      const bytes = big.length + small.length + 5_000_000;
      context.diagnostic(`${relay.lines.length} requests, ${relay.sent.bytes - sent} bytes of the store for ${bytes}`);
      assert.deepEqual(blocks, []);
      const checked = await juicefs('fsck', database);
      assert.match(checked, /Found [1-9]\d* blocks|Scanned/i);
      assert.doesNotMatch(checked, /ERROR|lost|missing/i);
    });
  }
});
