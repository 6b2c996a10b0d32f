/**
 * What an origin told one node counts for the others, where nodes have certificates: the number of questions does not grow with
 * the number of nodes, and a stranger gets nothing by it.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { ask, serveBody, startOrigin } from './support/proxy-fixture.ts';

const names = ['peer-1', 'peer-2', 'peer-3'];
const owner = { Authorization: 'Bearer a-token-that-all-nodes-have' };

describe('three nodes that know each other by certificates', () => {
  let directory: TemporaryDirectory;
  let cluster: LocalCluster;
  before(async () => {
    directory = await temporaryDirectory('df-shared-');
    cluster = await LocalCluster.start({ directory: directory.path, peers: 3 });
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });
  const portOf = (name: string): number => Number(cluster.node(name).process.address('proxy').split(':').at(-1));
  const get = (name: string, url: string, headers: Record<string, string> = owner) =>
    ask({ port: portOf(name) }, url, { headers });

  test('ask a registry about a blob once, and a stranger is refused in its own words', async () => {
    const content = randomBytes(6 * 2 ** 20);
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    const file = serveBody(content, { 'docker-content-digest': digest });
    await using origin = await startOrigin((request, response) => {
      if (request.headers.authorization === owner.Authorization) return file(request, response);
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="there"', 'content-length': 0 }).end();
    });
    const url = `${origin.url}/v2/shared/blob/blobs/${digest}`;
    for (const name of names) {
      const answer = await get(name, url);
      assert.equal(answer.status, 200);
      assert.ok(answer.body.equals(content));
    }
    const gets = origin.seen.filter(({ method, headers }) => method === 'GET' && headers.authorization !== undefined);
    const told = gets.map(({ headers }) => headers.range ?? 'all');
    assert.ok(told.length < names.length, told.join('\n'));
    const stranger = await get('peer-2', url, {});
    assert.equal(stranger.status, 401);
    assert.equal(stranger.headers['www-authenticate'], 'Bearer realm="there"');
    const other = await get('peer-3', url, { Authorization: 'Bearer of-somebody-else' });
    assert.equal(other.status, 401);
  });

  test('fetch a manifest that its digest names once', async () => {
    const body = Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [] }));
    const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
    const type = 'application/vnd.oci.image.manifest.v1+json';
    await using origin = await startOrigin((_request, response) => {
      response.writeHead(200, { 'content-type': type, 'docker-content-digest': digest, 'content-length': body.length });
      response.end(body);
    });
    for (const name of names) {
      const answer = await get(name, `${origin.url}/v2/shared/manifest/manifests/${digest}`);
      assert.equal(answer.headers['content-type'], type);
      assert.ok(answer.body.equals(body));
    }
    assert.equal(origin.seen.filter(({ method }) => method === 'GET').length, 1);
  });

  test('ask about a tag at the same time once, and afterwards anew', async () => {
    const asked = Promise.withResolvers<void>();
    const body = Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [] }));
    let version = 0;
    await using origin = await startOrigin((request, response) => {
      if (request.method === 'HEAD') return void response.writeHead(200, { 'content-length': body.length }).end();
      version += 1;
      const header = {
        'content-type': 'application/json',
        'x-version': String(version),
        'content-length': body.length,
      };
      void asked.promise.then(() => response.writeHead(200, header).end(body));
    });
    const url = `${origin.url}/v2/shared/tag/manifests/latest`;
    const answers = names.map((name) => get(name, url));
    setTimeout(asked.resolve, 500); // the others have come meanwhile, or have asked for themselves on a busy machine
    for (const answer of await Promise.all(answers)) assert.equal(answer.status, 200);
    assert.ok(version <= names.length);
    const before = version;
    assert.equal((await get('peer-3', url)).headers['x-version'], String(before + 1));
  });

  for (const [what, status] of Object.entries({ 'an object': 200, 'a refusal': 403 })) {
    test(`of ${what} that nobody knows each caller costs its origin one request at most`, async () => {
      const content = randomBytes(2 ** 20);
      const asked = Promise.withResolvers<void>();
      const give = serveBody(content, { etag: '"first"' });
      await using origin = await startOrigin((request, response) => {
        const refuse = (): unknown => response.writeHead(status, { 'content-length': 2 }).end('no');
        void asked.promise.then(() => (status === 200 ? give(request, response) : refuse()));
      });
      const answers = names.map((name) => get(name, `${origin.url}/first`));
      setTimeout(asked.resolve, 500); // the others have come meanwhile, or come when it is known
      for (const answer of await Promise.all(answers)) {
        assert.equal(answer.status, status);
        assert.ok(answer.body.equals(status === 200 ? content : Buffer.from('no')));
      }
      const ranges = origin.seen.map(({ headers }) => headers.range ?? 'all');
      assert.ok(ranges.length <= names.length, ranges.join(' '));
      assert.equal(ranges.filter((range) => range === 'all').length, status === 200 ? 1 : names.length);
    });
  }

  test('see at once that an object has changed, whoever was told what it was', async () => {
    let version = 1;
    const contentOf = (number: number): Buffer => Buffer.alloc(5 * 2 ** 20, `version ${number}`);
    await using origin = await startOrigin((request, response) =>
      serveBody(contentOf(version), { etag: `"${version}"` })(request, response),
    );
    const url = `${origin.url}/object`;
    for (const answer of await Promise.all(names.map((name) => get(name, url))))
      assert.ok(answer.body.equals(contentOf(1)));
    const asked = origin.seen.map(({ headers }) => headers.range ?? 'all');
    // On others' word alone a node compares a part with the origin: that is no copy.
    assert.ok(asked.filter((range) => range === 'all').length < names.length, asked.join(' '));
    version = 2;
    for (const name of names) assert.ok((await get(name, url)).body.equals(contentOf(2)));
  });
});
