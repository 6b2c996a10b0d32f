// needs: nginx
/** Directories of small files come in bundles: right, with one request a file, and otherwise as files one by one do. */
import assert from 'node:assert/strict';
import { lstat, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startDaemon } from '../cli/lone-daemon.ts';
import type { Daemon } from '../support/local-swarm.ts';
import { waitFor } from '../support/wait-for.ts';
import { assertHolds, BundleWorld, oddNames, succeeded } from './bundle-world.ts';

describe('a directory of small files', () => {
  let world: BundleWorld;
  let one: Daemon;
  let other: Daemon;

  before(async () => {
    world = await BundleWorld.create();
    one = await world.swarm.startDaemon('one');
    other = await world.swarm.startDaemon('other');
  });
  after(() => world?.[Symbol.asyncDispose]());

  it('comes to several nodes with one request a file, as one task', async () => {
    const files = BundleWorld.files(300);
    const source = await world.hub('Model', files);
    const outputs = [world.output(), world.output()];
    const runs = await Promise.all(
      [one, other].map((daemon, index) => world.dfget(daemon, source, outputs[index] ?? '')),
    );
    const receipts = runs.map(succeeded);
    for (const output of outputs) await assertHolds(output, files);
    const count = Object.keys(files).length;
    const [first] = receipts[0] ?? [];
    assert.deepEqual(
      receipts.map((some) => some.map(({ files: of, taskId }) => [of, taskId])),
      [[[count, first?.taskId]], [[count, first?.taskId]]],
    );
    const requests = await world.requests('/Owner/Model/resolve/');
    assert.equal(requests.length, count);
    // What is here is not asked for again.
    const again = world.output();
    const [third] = succeeded(await world.dfget(one, source, again));
    await assertHolds(again, files);
    assert.deepEqual([third?.bytesFromOrigin, third?.files], [0, count]);
    assert.equal((await world.requests('/Owner/Model/resolve/')).length, requests.length);
  });

  it('is written by dfget when the daemon is another user’s', async () => {
    const files = BundleWorld.files(60);
    const source = await world.hub('Socket', files);
    const output = world.output();
    const [receipt] = succeeded(await world.dfget(one, source, output, '--transfer-from-dfdaemon'));
    await assertHolds(output, files);
    assert.equal(receipt?.files, Object.keys(files).length);
  });

  for (const kind of ['index', 'index-json']) {
    it(`is found where nginx shows it: /${kind}/`, async () => {
      const files = BundleWorld.files(100);
      const here = `list-${kind}`;
      await world.put(here, files);
      const output = world.output();
      const receipts = succeeded(await world.dfget(one, [`${world.origin.url}/${kind}/${here}/`], output));
      await assertHolds(output, files);
      const bundled = receipts.reduce((sum, receipt) => sum + (receipt.files ?? 0), 0);
      // A page of text says nothing that would tell a file from its successor of the same length.
      assert.equal(bundled, kind === 'index' ? 0 : Object.keys(files).length);
      assert.ok((await world.requests(`/${kind}/${here}/`)).length >= Object.keys(files).length);
    });
  }

  it('is found in a bucket', async () => {
    const files = BundleWorld.files(100);
    await world.put('bucket/tree', files);
    const tags = await Promise.all(
      Object.keys(files).map(async (name) => {
        const answer = await fetch(`${world.origin.url}/bucket/tree/${escaped(name)}`);
        await answer.arrayBuffer();
        return answer.headers.get('etag') ?? '';
      }),
    );
    const asked = (await world.requests('/bucket/tree/')).length;
    const contents = Object.entries(files).map(
      ([name, { length }], index) =>
        `<Contents><Key>tree/${escaped(name)}</Key><Size>${length}</Size><ETag>${tags[index]?.replaceAll('"', '&quot;')}</ETag></Contents>`,
    );
    const page = `<?xml version="1.0"?><ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`;
    await world.put('bucket', { 'index.html': Buffer.from(page) });
    const source = ['s3://bucket/tree/', '--storage-endpoint', world.origin.url];
    for (const daemon of [one, other]) {
      const output = world.output();
      const [receipt] = succeeded(await world.dfget(daemon, source, output));
      await assertHolds(output, files);
      assert.equal(receipt?.files, Object.keys(files).length);
    }
    assert.equal((await world.requests('/bucket/tree/')).length - asked, Object.keys(files).length);
  });

  it('of 4,097 files is a bundle and a file', async () => {
    const files = BundleWorld.files(4097, { odd: false });
    const output = world.output();
    const receipts = succeeded(await world.dfget(one, await world.hub('Many', files), output));
    await assertHolds(output, files);
    assert.deepEqual(new Set(receipts.map((receipt) => receipt.files)), new Set([4096, undefined]));
    assert.equal(receipts.length, 2);
    assert.equal((await world.requests('/Owner/Many/resolve/')).length, 4097);
  });

  it('has other bundles for other listings, and every node gets what it was told of', async () => {
    const files = BundleWorld.files(50);
    const more = { ...files, 'd0/news': Buffer.from('news') };
    const before = await world.hub('Two', more, { listed: files });
    const [first, second] = [world.output(), world.output()];
    const [early] = succeeded(await world.dfget(one, before, first));
    const [late] = succeeded(await world.dfget(other, await world.hub('Two', more), second));
    await assertHolds(first, files);
    await assertHolds(second, more);
    assert.notEqual(early?.taskId, late?.taskId);
  });

  it('is fetched file by file when one is not as it was listed any more', async () => {
    const listed = BundleWorld.files(40);
    const changes = {
      'd1/f1': Buffer.from('longer or shorter'),
      'd2/f2': Buffer.from(listed['d2/f2']?.map((byte) => byte ^ 1) ?? []),
    };
    for (const [name, content] of Object.entries(changes)) {
      const files = { ...listed, [name]: content };
      const output = world.output();
      const run = await world.dfget(one, await world.hub(`Changed-${name.slice(3)}`, files, { listed }), output);
      const receipts = succeeded(run);
      await assertHolds(output, files);
      assert.equal(receipts.length, Object.keys(files).length);
      assert.match(run.stderr, /is not as its directory lists it[^]*one by one/);
    }
  });

  it('of which one is gone fails as that file does', async () => {
    const { 'd3/f3': gone, ...files } = BundleWorld.files(40);
    const source = await world.hub('Gone', files, { listed: { ...files, 'd3/f3': gone ?? Buffer.alloc(1) } });
    const run = await world.dfget(one, source, world.output());
    assert.equal(run.error?.code, 'SOURCE_STATUS');
    assert.equal(run.error.details?.statusCode, 404);
    assert.match(run.error.message, /d3\/f3/);
    const chosen = world.output();
    succeeded(await world.dfget(one, source, chosen, '--reject-regex', 'd3/f3$'));
    await assertHolds(chosen, files);
  });

  it('leaves what stands there as single files would', async () => {
    const files = BundleWorld.files(40);
    const source = await world.hub('Standing', files);
    const output = world.output();
    await mkdir(join(output, 'd1'), { recursive: true });
    await writeFile(join(output, 'elsewhere'), 'linked');
    await writeFile(join(output, 'd1/f1'), 'standing');
    const refused = await world.dfget(one, source, output);
    assert.equal(refused.error?.code, 'OUTPUT');
    assert.equal(await readFile(join(output, 'd1/f1'), 'utf8'), 'standing');
    await mkdir(join(output, 'd2'), { recursive: true });
    await symlink(join(output, 'elsewhere'), join(output, 'd2/f9')).catch(() => undefined);
    succeeded(await world.dfget(one, source, output, '--overwrite'));
    assert.ok((await readFile(join(output, 'd1/f1'))).equals(files['d1/f1'] ?? Buffer.alloc(0)));
    assert.ok((await lstat(join(output, 'd2/f9'))).isSymbolicLink(), 'a link is followed');
    assert.ok((await readFile(join(output, 'elsewhere'))).equals(files['d2/f9'] ?? Buffer.alloc(0)));
  });

  it('of a few files has none', async () => {
    const files = Object.fromEntries(oddNames.map((name) => [name, Buffer.from(name)]));
    const output = world.output();
    const receipts = succeeded(await world.dfget(one, await world.hub('Few', files), output));
    await assertHolds(output, files);
    assert.deepEqual(new Set(receipts.map((receipt) => receipt.files)), new Set([undefined]));
  });
});

it('a node without schedulers that is killed half-way goes on where it was', async () => {
  await using world = await BundleWorld.create({ scheduler: false });
  const files = Object.fromEntries(
    Array.from({ length: 60 }, (_, number) => [`f${number}`, Buffer.alloc(900_000, number)]),
  );
  const asked = async (): Promise<number> => (await world.requests('/Owner/Killed/resolve/')).length;
  const state = world.swarm.directory.join('lone');
  await mkdir(state, { mode: 0o700 });
  const source = await world.hub('Killed', files);
  const output = world.output();
  {
    const daemon = await startDaemon(state);
    const running = world.dfget(daemon, source, output);
    const begun = async () => (await world.origin.requestsBelow('/Owner/Killed/resolve/')).length >= 20;
    await waitFor('some of the files', begun);
    daemon.process.kill('SIGKILL');
    await running;
  }
  await using daemon = await startDaemon(state);
  const before = await asked();
  succeeded(await world.dfget(daemon, source, output, '--overwrite'));
  await assertHolds(output, files);
  const after = (await asked()) - before;
  assert.ok(after < Object.keys(files).length, `${after} requests after ${before}`);
});

function escaped(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}
