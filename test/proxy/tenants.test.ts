// needs: docker-registry
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { waitFor } from '../support/wait-for.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { DockerRegistry, registryUser } from './support/docker-registry.ts';
import { makeImage, pushImage, type Image } from './support/images.ts';
import { ask, startDaemon, type Answer, type ProxiedDaemon } from './support/proxy-fixture.ts';

describe('two tenants, one private image (P-2)', () => {
  let directory: TemporaryDirectory;
  let registry: DockerRegistry;
  let daemon: ProxiedDaemon;
  let others: { readonly denying: ProxiedDaemon; readonly allowing: ProxiedDaemon };
  let image: Image;
  const rights = {
    Authorization: `Basic ${Buffer.from(`${registryUser.username}:${registryUser.password}`).toString('base64')}`,
  };
  const get = (path: string, headers: Record<string, string> = {}, from = daemon): Promise<Answer> =>
    ask(from, path, {
      headers: {
        'X-Dragonfly-Registry': registry.url,
        accept: 'application/vnd.oci.image.manifest.v1+json',
        ...headers,
      },
    });
  const manifestPath = '/v2/private/app/manifests/v1';
  const blobPath = (): string => `/v2/private/app/blobs/${image.layers[0]?.digest}`;

  before(async () => {
    directory = await temporaryDirectory('df-tenants-');
    registry = await DockerRegistry.start({ directory: directory.join('registry'), auth: 'basic' });
    daemon = await startDaemon();
    others = {
      denying: await startDaemon(),
      allowing: await startDaemon({ proxy: { access: { whenOriginDown: 'allow' } } }),
    };
    image = makeImage({ layers: 1, layerBytes: 500_000 });
    await pushImage(registry.url, 'private/app', 'v1', image, registry.request);
  });
  after(async () => {
    for (const each of [daemon, ...Object.values(others)]) await each[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  test('the one with rights gets manifest and layer, both verified', async () => {
    const manifest = await get(manifestPath, rights);
    assert.equal(manifest.status, 200);
    assert.equal(manifest.headers['docker-content-digest'], image.manifest.digest);
    assert.ok(manifest.body.equals(image.manifest.content));
    const blob = await get(blobPath(), rights);
    assert.ok(blob.body.equals(image.layers[0]?.content ?? Buffer.alloc(0)));
  });

  for (const [who, headers] of [
    ['without credentials', {}],
    ['with wrong ones', { Authorization: 'Basic Ym9iOmJvYg==' }],
  ] as const) {
    test(`the one ${who} gets the registry's own 401, though all is cached here`, async () => {
      for (const path of [manifestPath, blobPath()]) {
        const answer = await get(path, headers);
        assert.equal(answer.status, 401, path);
        assert.match(answer.headers['www-authenticate'] ?? '', /^Basic realm="registry"/);
      }
    });
  }

  test('a manifest is asked for each time, yet sent once', async () => {
    const before = registry.gets('v1');
    const again = await Promise.all(Array.from({ length: 20 }, () => get(manifestPath, rights)));
    assert.ok(again.every(({ body }) => body.equals(image.manifest.content)));
    assert.equal(registry.gets('v1'), before);
  });

  test('a tag that moved is seen at once', async () => {
    const moved = makeImage({ layers: 1, layerBytes: 1000 });
    await pushImage(registry.url, 'private/app', 'v1', moved, registry.request);
    assert.equal((await get(manifestPath, rights)).headers['docker-content-digest'], moved.manifest.digest);
    await pushImage(registry.url, 'private/app', 'v1', image, registry.request);
    assert.equal((await get(manifestPath, rights)).headers['docker-content-digest'], image.manifest.digest);
  });

  test('with the registry down the proven caller is served, the stranger still gets its 401', async () => {
    for (const each of Object.values(others)) {
      assert.equal((await get(manifestPath, rights, each)).status, 200);
      assert.equal((await get(blobPath(), rights, each)).status, 200);
    }
    // each node has asked what strangers are told
    await waitFor('the registry to refuse three nodes', () => registry.refusedHeads('v1') >= 3);
    await registry.stop();
    assert.ok((await get(blobPath(), rights)).body.equals(image.layers[0]?.content ?? Buffer.alloc(0)));
    const manifest = await get(manifestPath, rights);
    assert.ok(manifest.body.equals(image.manifest.content));
    assert.match(manifest.headers['warning'] ?? '', /^111 /);
    for (const path of [manifestPath, blobPath()]) {
      const answer = await get(path, { Authorization: 'Basic bmV3OnN0cmFuZ2Vy' });
      assert.equal(answer.status, 401, path);
      assert.match(answer.headers['www-authenticate'] ?? '', /^Basic realm="registry"/);
    }
    // also from a node that nobody without rights has ever asked
    await waitFor('the answer to be known', async () => (await get(manifestPath, {}, others.denying)).status === 401);
    for (const path of [manifestPath, blobPath()]) {
      const answer = await get(path, {}, others.denying);
      assert.equal(answer.status, 401, path);
      assert.match(answer.headers['www-authenticate'] ?? '', /^Basic realm="registry"/);
    }
    // unless the configuration says otherwise
    for (const path of [manifestPath, blobPath()])
      assert.equal((await get(path, {}, others.allowing)).status, 200, path);
    await registry.restart();
  });

  test('no node that holds it gives it to a stranger, and each says what the registry says', async () => {
    for (const each of [daemon, ...Object.values(others)]) {
      for (const path of [manifestPath, blobPath()]) {
        const answer = await get(path, {}, each);
        assert.equal(answer.status, 401, path);
        assert.match(answer.headers['www-authenticate'] ?? '', /^Basic realm="registry"/);
      }
    }
  });
});
