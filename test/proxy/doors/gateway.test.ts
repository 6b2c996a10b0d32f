/** The object gateway of dfdaemon 2.1 on the port of clients of S3. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { ask, startDaemon, type Answer, type Ask, type ProxiedDaemon } from '../support/proxy-fixture.ts';
import { startSmallStore, storeKey, type SmallStore } from '../support/s3-store.ts';

const run = promisify(execFile);

void describe('the object gateway of dfdaemon 2.1', () => {
  let store: SmallStore;
  let daemon: ProxiedDaemon;
  let directory: TemporaryDirectory;
  before(async () => {
    store = await startSmallStore();
    directory = await temporaryDirectory('df-gateway-');
    const bucket = { bucket: 'stored', endpoint: store.origin.url, ...storeKey };
    const buckets = [
      { ...bucket, name: 'models', writable: true },
      { ...bucket, name: 'fixed' },
    ];
    const s3 = { tcpListen: { port: 0 }, buckets };
    daemon = await startDaemon({ more: { doors: { s3 }, objectStorage: { enable: true } } });
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  const port = (): number => Number(daemon.service.addresses['s3']?.split(':').at(-1));
  const at = (path: string, options: Ask = {}): Promise<Answer> =>
    ask({ port: port() }, path, { ...options, headers: { host: `127.0.0.1:${port()}`, ...options.headers } });
  const curl = async (...args: string[]): Promise<string> => {
    const { stdout } = await run('curl', ['-sS', '--noproxy', '*', '-w', '%{http_code}', ...args], { timeout: 60_000 });
    return stdout;
  };
  const object = (key: string): string => `http://127.0.0.1:${port()}/buckets/models/objects/${key}`;
  const errorOf = ({ status, body }: Answer): [number, boolean] => [
    status,
    'errors' in (JSON.parse(body.toString()) as object),
  ];

  it('what curl puts in by a form is at the store, is told of, read whole and in part, and not asked of the store', async () => {
    const content = randomBytes(3_000_000);
    const file = directory.join('file');
    await writeFile(file, content);
    assert.equal(await curl('-X', 'PUT', '-F', 'mode=1', '-F', `file=@${file}`, object('a%20b')), '200');
    assert.ok(store.objects.get('stored/a b')?.equals(content));
    const gets = store.bodies().length;
    const whole = await at('/buckets/models/objects/a%20b?filter=X-Amz-Date', { headers: { range: '' } });
    assert.deepEqual([whole.status, whole.body.equals(content)], [200, true]);
    const part = await at('/buckets/models/objects/a%20b', { headers: { range: 'bytes=10-19' } });
    assert.deepEqual([part.status, part.body.equals(content.subarray(10, 20))], [206, true]);
    assert.equal(store.bodies().length, gets);
    const head = await at('/buckets/models/objects/a%20b', { method: 'HEAD' });
    assert.deepEqual(
      [head.status, head.headers['content-length'], head.headers['x-dragonfly-object-meta-last-modified-time']],
      [200, '3000000', 'Thu, 01 Jan 2026 00:00:00 GMT'],
    );
    assert.deepEqual(await readdir(join(daemon.directory, 'data/incoming')), []);
  });

  it('an empty file, a copy and what was deleted', async () => {
    const empty = directory.join('empty');
    await writeFile(empty, '');
    assert.equal(await curl('-X', 'PUT', '-F', 'mode=0', '-F', `file=@${empty}`, object('empty')), '200');
    assert.equal((await at('/buckets/models/objects/empty')).body.length, 0);
    const copy = ['-X', 'PUT', '-H', 'X-Dragonfly-Object-Operation: copy', '-F', 'source_object_key=a b'];
    assert.equal(await curl(...copy, object('copy')), '200');
    assert.equal(
      store.origin.seen.findLast(({ method }) => method === 'PUT')?.headers['x-amz-copy-source'],
      '/stored/a%20b',
    );
    assert.equal((await at('/buckets/models/objects/gone', { method: 'DELETE' })).status, 200);
    assert.equal((await at('/buckets/models/objects/gone', { method: 'HEAD' })).status, 404);
    assert.deepEqual(errorOf(await at('/buckets/models/objects/gone')), [404, true]);
  });

  it('says what it is, and refuses what it does not do, with nothing left', async () => {
    assert.equal((await at('/healthy')).status, 200);
    const { Name, Region } = JSON.parse((await at('/metadata')).body.toString()) as Record<string, string>;
    assert.deepEqual([Name, Region], ['s3', 'us-east-1']);
    assert.equal((await at('/buckets/models', { method: 'POST' })).status, 200);
    const file = directory.join('file');
    const puts = store.origin.seen.filter(({ method }) => method === 'PUT').length;
    assert.match(await curl('-X', 'PUT', '-F', 'mode=2', '-F', `file=@${file}`, object('x')), /422$/);
    assert.match(await curl('-X', 'PUT', '-F', 'mode=1', object('x')), /422$/);
    assert.match(await curl('-X', 'PUT', '-d', 'no form', object('x')), /422$/);
    const fixed = object('x').replace('models', 'fixed');
    assert.match(await curl('-X', 'PUT', '-F', 'mode=1', '-F', `file=@${file}`, fixed), /403$/);
    assert.deepEqual(errorOf(await at('/buckets/none/objects/x')), [404, true]);
    assert.equal(store.origin.seen.filter(({ method }) => method === 'PUT').length, puts);
    // A name that leads to this machine is not this machine's.
    const page = await at('/buckets/models/objects/a%20b', { headers: { host: `evil.example:${port()}` } });
    assert.equal(page.status, 403);
    assert.deepEqual(await readdir(join(daemon.directory, 'data/incoming')), []);
  });
});
