// needs: ceph-mon, ceph-osd, radosgw
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { encodePath } from '../../src/dfdaemon/source/sigv4.ts';
import { CephGateway, cephMissing } from '../source/ceph-gateway.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';

const execute = promisify(execFile);
const clientDeadlineMs = 300_000;
const absent = spawnSync('python3', ['-c', 'import boto3']).status === 0 ? undefined : 'boto3 is not installed';
const client = { accessKeyID: 'READER', secretKey: 'the reader/s+secret' };

void describe('clients of S3 at the door, a real Ceph behind it', { skip: cephMissing ?? absent }, () => {
  let swarm: LocalSwarm;
  let ceph: CephGateway;
  let daemon: Daemon;
  const model = randomBytes(12 * 2 ** 20);
  before(async () => {
    swarm = await LocalSwarm.create();
    ceph = await CephGateway.start(swarm.directory.path);
    await ceph.put('stored');
    await ceph.put('stored/models/model.bin', model);
    for (let number = 0; number < 20; number += 1) {
      const key = `many/key ${number} +&%é`;
      await ceph.put(`stored/${encodePath(key)}`, Buffer.from(key));
    }
    await swarm.startScheduler();
    const { endpoint, accessKeyId: accessKeyID, accessKeySecret: secretKey } = ceph;
    const bucket = { name: 'models', bucket: 'stored', endpoint, accessKeyID, secretKey, writable: true };
    const s3 = { tcpListen: { port: 0 }, buckets: [bucket], clients: [client] };
    daemon = await swarm.startDaemon('node', { yaml: `doors: ${JSON.stringify({ s3 })}` });
  });
  after(async () => {
    await swarm?.[Symbol.asyncDispose]();
    await ceph?.[Symbol.asyncDispose]();
  });

  it('boto3 reads, lists, is refused, writes', async (context) => {
    const script = fileURLToPath(new URL('s3-boto3.py', import.meta.url));
    const endpoint = `http://${daemon.service.addresses['s3']}`;
    const digest = createHash('sha256').update(model).digest('hex');
    const { accessKeyID, secretKey } = client;
    const args = [script, endpoint, 'models', accessKeyID, secretKey, digest, swarm.directory.path];
    const { stdout } = await execute('python3', args, { timeout: clientDeadlineMs });
    const done = JSON.parse(stdout) as string[];
    context.diagnostic(done.join(', '));
    assert.equal(done.at(-1), 'no bucket is made');
  });
});
