// needs: ceph-mon, ceph-osd, radosgw
/** What is written through one node is there for the others, without a byte of the store; what was overwritten or deleted is there for nobody. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CephGateway, cephMissing } from '../../source/ceph-gateway.ts';
import { LocalSwarm, type Daemon } from '../../support/local-swarm.ts';
import { countingRelay, type CountingRelay } from '../support/counting-relay.ts';

const execute = promisify(execFile);
const client = { accessKeyID: 'WRITER', secretKey: 'the writer/s+secret' };
const boto3Missing = spawnSync('python3', ['-c', 'import boto3']).status === 0 ? undefined : 'boto3 is not installed';

const rcloneMissing = spawnSync('rclone', ['version']).error ? 'rclone is not installed' : undefined;

void describe('writes at the door for clients of S3 stay in the cluster', { skip: cephMissing ?? boto3Missing }, () => {
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
    const bucket = { name: 'models', bucket: 'stored', endpoint: relay.url, accessKeyID, secretKey };
    const buckets = [{ ...bucket, writable: true, ttl: '1h' }];
    const s3 = { tcpListen: { port: 0 }, buckets, clients: [client] };
    for (const name of ['writer', 'one', 'two'])
      nodes.push(await swarm.startDaemon(name, { yaml: `doors: ${JSON.stringify({ s3 })}` }));
  });
  after(async () => {
    await swarm?.[Symbol.asyncDispose]();
    await relay?.[Symbol.asyncDispose]();
    await ceph?.[Symbol.asyncDispose]();
  });

  const script = fileURLToPath(new URL('s3-kept-writes.py', import.meta.url));
  const boto3 = async (step: string): Promise<string[]> => {
    const endpoints = nodes.map(({ service }) => `http://${service.addresses['s3']}`);
    const args = [script, step, 'models', client.accessKeyID, client.secretKey, ...endpoints];
    const env = { ...process.env, DIRECTORY: swarm.directory.path };
    const { stdout } = await execute('python3', args, { env, timeout: 300_000 });
    return JSON.parse(stdout) as string[];
  };
  const incoming = async (): Promise<string[]> =>
    (await Promise.all(nodes.map(({ name }) => readdir(swarm.directory.join(`${name}/data/incoming`))))).flat();

  it('put, in parts and copied: other nodes read all of it, and the store sends none of it', async (context) => {
    const received = relay.received.bytes;
    await boto3('write');
    const written = relay.received.bytes - received;
    assert.ok(written < 26_000_001 * 1.01, `the store got ${written} bytes of 26,000,001`);
    const sent = relay.sent.bytes;
    relay.lines.length = 0;
    await boto3('read');
    const gets = relay.lines.filter((line) => line.startsWith('GET '));
    context.diagnostic(
      `the store got ${(written / 26_000_001).toFixed(3)} copies; then sent ${relay.sent.bytes - sent} bytes`,
    );
    assert.deepEqual(gets, []);
    assert.ok(relay.sent.bytes - sent < 16_384, 'answers to questions about the objects, and nothing else');
    assert.deepEqual(await incoming(), []);
  });

  it('what was overwritten or deleted at any node is served old by none, however long they rely on what they heard', async () => {
    await boto3('change');
    assert.deepEqual(await incoming(), []);
  });

  it('rclone copies a tree in by one node and compares it by another', { skip: rcloneMissing }, async () => {
    const tree = swarm.directory.join('tree');
    await mkdir(join(tree, 'a b/é'), { recursive: true });
    for (const [name, length] of Object.entries({ small: 1000, 'a b/middle': 900_000, 'a b/é/large': 12_000_001 }))
      await writeFile(join(tree, name), randomBytes(length));
    const rclone = (node: number, ...args: string[]): Promise<unknown> => {
      const { accessKeyID, secretKey } = client;
      const at = `endpoint="http://${nodes[node]?.service.addresses['s3']}"`;
      const remote = `:s3,provider=Ceph,access_key_id=${accessKeyID},secret_access_key="${secretKey}",${at}:models/tree`;
      const options = [
        '--config',
        swarm.directory.join('rclone.conf'),
        '--s3-upload-cutoff',
        '5Mi',
        '--s3-chunk-size',
        '5Mi',
      ];
      const named = args.map((arg) => (arg === 'REMOTE' ? remote : arg));
      const env = { ...process.env, AWS_CA_BUNDLE: undefined }; // this rclone refuses one
      return execute('rclone', [...named, ...options], { env, timeout: 120_000 });
    };
    await rclone(0, 'copy', tree, 'REMOTE');
    relay.lines.length = 0;
    await rclone(1, 'check', '--download', tree, 'REMOTE');
    const read = relay.lines.filter((line) => line.startsWith('GET /stored/tree/'));
    assert.deepEqual(read, []);
    await rclone(2, 'delete', 'REMOTE');
    await assert.rejects(rclone(1, 'check', '--download', tree, 'REMOTE'), /3 differences found|3 files missing/);
    assert.deepEqual(await incoming(), []);
  });

  it('what the store refuses leaves nothing, and tags pass', async () => {
    await boto3('refused');
    assert.deepEqual(await incoming(), []);
  });
});
