// needs: ceph-mon, ceph-osd, radosgw
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { encodePath } from '../../../src/dfdaemon/source/sigv4.ts';
import { CephGateway, cephMissing } from '../../source/ceph-gateway.ts';
import { LocalSwarm, type Daemon } from '../../support/local-swarm.ts';

const execute = promisify(execFile);
const clientDeadlineMs = 300_000;
const lacks = (module: string): string | undefined =>
  spawnSync('python3', ['-c', `import ${module}`]).status === 0 ? undefined : `${module} is not installed`;
const s3fsMissing = lacks('s3fs');
const absent = (program: string): string | undefined =>
  spawnSync(program, ['--version'], { stdio: 'ignore' }).error ? `${program} is not installed` : undefined;
const awsMissing = absent('aws');
const juicefsMissing = absent('juicefs');
const client = { accessKeyID: 'READER', secretKey: 'the reader/s+secret' };

void describe('clients of S3 at the door, a real Ceph behind it', { skip: cephMissing ?? lacks('boto3') }, () => {
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

  const environment = (): NodeJS.ProcessEnv => ({
    ...process.env,
    AWS_ENDPOINT_URL: `http://${daemon.service.addresses['s3']}`,
    AWS_ACCESS_KEY_ID: client.accessKeyID,
    AWS_SECRET_ACCESS_KEY: client.secretKey,
    AWS_REGION: 'us-east-1',
    AWS_CONFIG_FILE: swarm.directory.join('none'),
    AWS_SHARED_CREDENTIALS_FILE: swarm.directory.join('none'),
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

  it('s3fs reads at random, lists, writes', { skip: s3fsMissing }, async () => {
    const script = fileURLToPath(new URL('s3-fsspec.py', import.meta.url));
    const digest = createHash('sha256').update(model).digest('hex');
    await execute('python3', [script, 'models', digest], { env: environment(), timeout: clientDeadlineMs });
  });

  it('JuiceFS writes, reads, lists and removes its first objects', { skip: juicefsMissing }, async () => {
    const { accessKeyID, secretKey } = client;
    const keys = ['--access-key', accessKeyID, '--secret-key', secretKey];
    const place = ['--storage', 's3', '--bucket', `${environment()['AWS_ENDPOINT_URL']}/models`];
    const database = `sqlite3://${swarm.directory.join('juicefs.db')}`;
    const env = { ...environment(), HOME: swarm.directory.path };
    await execute('juicefs', ['format', ...place, ...keys, database, 'volume'], { env, timeout: clientDeadlineMs });
    const { stdout } = await execute('juicefs', ['status', database], { env, timeout: clientDeadlineMs });
    assert.match(stdout, /"Name": "volume"/);
  });

  it('the aws command line lists, copies, brings a tree up to date', { skip: awsMissing }, async () => {
    const aws = async (...args: string[]): Promise<string> =>
      (await execute('aws', ['s3', ...args], { env: environment(), timeout: clientDeadlineMs })).stdout;
    assert.match(await aws('ls'), / models\n/);
    assert.match(await aws('ls', 's3://models/models/'), / 12582912 model\.bin\n/);
    const file = swarm.directory.join('copied');
    await aws('cp', '--quiet', 's3://models/models/model.bin', file);
    assert.ok((await readFile(file)).equals(model));
    await aws('cp', '--quiet', file, 's3://models/tree/a/b.bin');
    await aws('sync', '--quiet', 's3://models/tree', swarm.directory.join('tree'));
    assert.ok((await readFile(swarm.directory.join('tree/a/b.bin'))).equals(model));
    await aws('rm', '--quiet', '--recursive', 's3://models/tree');
    assert.equal(await aws('ls', 's3://models/tree').catch(() => ''), '');
  });
});
