/** Who says yes must have the bytes: a registry or an origin of the caller's own choice opens nothing it does not have. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { LocalSwarm } from '../support/local-swarm.ts';
import { waitFor } from '../support/wait-for.ts';
import { ask, serveBody, startDaemon, startOrigin, type Origin, type ProxiedDaemon } from './support/proxy-fixture.ts';

const content = randomBytes(5 * 2 ** 20 + 17);
const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    config: { digest, size: content.length },
    layers: [{ digest, size: content.length }],
  }),
);

/** Has everything under the sun, as far as its headers tell; the bytes are others. */
const boasting: RequestListener = (request, response) => {
  if (request.url?.includes('/manifests/') === true) {
    const type = 'application/vnd.oci.image.manifest.v1+json';
    return serveBody(manifest, { 'content-type': type })(request, response);
  }
  serveBody(Buffer.alloc(content.length, 7), { etag: '"v1"', 'docker-content-digest': digest })(request, response);
};

describe('a private layer', { timeout: 120_000 }, () => {
  let swarm: LocalSwarm;
  let nodes: { readonly here: ProxiedDaemon; readonly elsewhere: ProxiedDaemon };
  let registry: Origin;
  let boaster: Origin;
  const path = `/v2/private/app/blobs/${digest}`;
  const pull = (from: ProxiedDaemon, origin: Origin, headers: Record<string, string> = {}) =>
    ask(from, path, { headers: { 'X-Dragonfly-Registry': origin.url, ...headers } });
  before(async () => {
    const guarded: RequestListener = (request, response) =>
      request.headers.authorization === 'Bearer owner'
        ? serveBody(content, { etag: '"v1"' })(request, response)
        : void response.writeHead(401, { 'www-authenticate': 'Basic realm="a"' }).end();
    registry = await startOrigin(guarded);
    boaster = await startOrigin(boasting);
    swarm = await LocalSwarm.create();
    const schedulers = [await swarm.startScheduler()];
    const node = (hostname: string) =>
      startDaemon({
        schedulers,
        proxy: { proxies: [{ regx: '/file' }] },
        more: { host: { hostname, advertiseIP: '127.0.0.1' } },
      });
    nodes = { here: await node('here'), elsewhere: await node('elsewhere') };
    const owner = await pull(nodes.here, registry, { authorization: 'Bearer owner' });
    assert.ok(owner.body.equals(content));
  });
  after(async () => {
    for (const each of [nodes.here, nodes.elsewhere, swarm, registry, boaster]) await each[Symbol.asyncDispose]();
  });

  for (const place of ['here', 'elsewhere'] as const) {
    test(`held ${place} is not opened by a registry that only says it has it`, async () => {
      for (const headers of [{}, { Range: 'bytes=0-99' }] as Record<string, string>[]) {
        const answer = await pull(nodes[place], boaster, headers).catch(() => undefined); // or a broken connection
        const expected = headers['Range'] === undefined ? content : content.subarray(0, 100);
        assert.notDeepEqual(answer?.body.subarray(0, 100), expected.subarray(0, 100));
      }
    });

    test(`held ${place} is not opened by a manifest that names it`, async () => {
      const headers = { 'X-Dragonfly-Registry': boaster.url };
      assert.equal((await ask(nodes[place], '/v2/private/app/manifests/v1', { headers })).status, 200);
      const answer = await pull(nodes[place], boaster).catch(() => undefined);
      assert.notDeepEqual(answer?.body.subarray(0, 100), content.subarray(0, 100));
    });

    test(`held ${place} comes for a registry that has it, from the store`, async () => {
      await using honest = await startOrigin(serveBody(content));
      assert.ok((await pull(nodes[place], honest)).body.equals(content));
      const bytes = honest.seen.filter(({ headers }) => headers.range === undefined);
      assert.deepEqual(bytes, [], 'nothing but questions reached it');
    });
  }

  test('a name of the caller for a task opens nothing that its own origin does not have', async () => {
    const named = { 'X-Dragonfly-Content-For-Calculating-Task-ID': 'somebody-elses' };
    const url = `${registry.url}/file`;
    const owner = await ask(nodes.here, url, { headers: { ...named, authorization: 'Bearer owner' } });
    assert.ok(owner.body.equals(content));
    const stranger = await ask(nodes.here, `${boaster.url}/file`, { headers: named });
    assert.deepEqual(stranger.body, Buffer.alloc(content.length, 7));
  });
});

describe('a private layer that was pushed through a node', { timeout: 120_000 }, () => {
  const pushed = randomBytes(5 * 2 ** 20 + 3);
  const name = `sha256:${createHash('sha256').update(pushed).digest('hex')}`;
  const path = `/v2/private/app/blobs/${name}`;
  const owner = { authorization: 'Bearer owner' };
  /** Takes what its owner pushes, and gives it to nobody else. */
  const registryOfOwner: RequestListener = (request, response) => {
    if (request.headers.authorization !== owner.authorization)
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="a"' }).end();
    if (request.method === 'GET' || request.method === 'HEAD') return serveBody(pushed)(request, response);
    request.resume().once('end', () => response.writeHead(201, { location: path }).end());
  };

  test('is opened there and elsewhere by its registry only, and by nobody who merely names it', async () => {
    await using swarm = await LocalSwarm.create();
    const schedulers = [await swarm.startScheduler()];
    const more = (hostname: string) => ({ host: { hostname, advertiseIP: '127.0.0.1' } });
    await using here = await startDaemon({ schedulers, more: more('here') });
    await using elsewhere = await startDaemon({ schedulers, more: more('elsewhere') });
    await using registry = await startOrigin(registryOfOwner);
    await using liar = await startOrigin((request, response) =>
      serveBody(Buffer.alloc(pushed.length, 7), { 'docker-content-digest': name })(request, response),
    );
    const at = (origin: Origin, headers: Record<string, string> = {}) => ({
      'X-Dragonfly-Registry': origin.url,
      ...headers,
    });
    const place = `/v2/private/app/blobs/uploads/?digest=${name}`;
    const answer = await ask(here, place, { method: 'POST', headers: at(registry, owner), body: pushed });
    assert.equal(answer.status, 201);
    await waitFor('the layer to be kept', async () => {
      const { body } = await ask(here, path, { headers: at(registry, owner) }).catch(() => ({ body: undefined }));
      const wasAsked = registry.seen.some(({ method, headers: { range } }) => method === 'GET' && range === undefined);
      registry.seen.length = 0;
      return body?.equals(pushed) === true && !wasAsked;
    });
    for (const node of [here, elsewhere]) {
      assert.equal((await ask(node, path, { headers: at(registry) })).status, 401);
      const wrong = { authorization: 'Bearer somebody' };
      assert.equal((await ask(node, path, { headers: at(registry, wrong) })).status, 401);
      for (const range of [{}, { Range: 'bytes=0-99' }] as Record<string, string>[]) {
        const told = await ask(node, path, { headers: at(liar, range) }).catch(() => undefined); // or a broken connection
        assert.notDeepEqual(told?.body.subarray(0, 100), pushed.subarray(0, 100));
      }
    }
    const pull = await ask(elsewhere, path, { headers: at(registry, owner) });
    assert.ok(pull.body.equals(pushed));
    const given = registry.seen.filter(
      ({ method, headers: { authorization, range } }) =>
        method === 'GET' && authorization === owner.authorization && range === undefined,
    );
    assert.deepEqual(given, [], 'the layer came from the node that it was pushed through');
  });
});
