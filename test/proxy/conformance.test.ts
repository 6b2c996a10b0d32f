// needs: docker-registry
/**
 * What the distribution specification says about pulling, and what engines ask of a mirror: every request gives through
 * the mirror what it gives at the registry itself.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { DockerRegistry } from './support/docker-registry.ts';
import { makeImage, makeIndex, pushImage, type Image, type ImageIndex } from './support/images.ts';
import { ask, startDaemon, type Answer, type ProxiedDaemon } from './support/proxy-fixture.ts';

const manifestTypes = 'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json';
const unknownDigest = `sha256:${'0'.repeat(64)}`;
const compared = [
  'content-type',
  'content-length',
  'docker-content-digest',
  'www-authenticate',
  'content-range',
  'location',
  'etag',
];

describe('pulls through the mirror are pulls from the registry', () => {
  let directory: TemporaryDirectory;
  let registry: DockerRegistry;
  let daemon: ProxiedDaemon;
  let image: Image;
  let index: ImageIndex;
  before(async () => {
    directory = await temporaryDirectory('df-conformance-');
    registry = await DockerRegistry.start({ directory: directory.join('registry') });
    daemon = await startDaemon();
    image = makeImage({ layers: 2, layerBytes: 100_000 });
    index = makeIndex([{ ...image, architecture: 'amd64' }]);
    await pushImage(registry.url, 'team/app', 'v1', image);
    await pushImage(registry.url, 'team/app', 'multi', index);
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  const layer = (): string => image.layers[0]?.digest ?? '';
  const cases: readonly {
    readonly what: string;
    readonly path: () => string;
    readonly headers?: Record<string, string>;
    readonly errorBody?: boolean;
  }[] = [
    { what: 'the API version', path: () => '/v2/' },
    { what: 'tags', path: () => '/v2/team/app/tags/list' },
    { what: 'tags, paged', path: () => '/v2/team/app/tags/list?n=1' },
    { what: 'tags of an unknown repository', path: () => '/v2/team/none/tags/list' },
    { what: 'a manifest by tag', path: () => '/v2/team/app/manifests/v1' },
    { what: 'a manifest by digest', path: () => `/v2/team/app/manifests/${image.manifest.digest}` },
    { what: 'an index', path: () => '/v2/team/app/manifests/multi' },
    { what: 'an unknown tag', path: () => '/v2/team/app/manifests/none' },
    { what: 'an unknown manifest digest', path: () => `/v2/team/app/manifests/${unknownDigest}` },
    { what: 'a malformed digest', path: () => '/v2/team/app/manifests/sha256:xyz' },
    { what: 'a layer', path: () => `/v2/team/app/blobs/${layer()}` },
    { what: 'a layer with an escaped digest', path: () => `/v2/team/app/blobs/${layer().replace(':', '%3A')}` },
    { what: 'the configuration', path: () => `/v2/team/app/blobs/${image.config.digest}` },
    { what: 'a part of a layer', path: () => `/v2/team/app/blobs/${layer()}`, headers: { Range: 'bytes=10-19' } },
    { what: 'the end of a layer', path: () => `/v2/team/app/blobs/${layer()}`, headers: { Range: 'bytes=-7' } },
    { what: 'an unknown layer', path: () => `/v2/team/app/blobs/${unknownDigest}`, errorBody: true },
    { what: 'a layer of another repository', path: () => `/v2/team/other/blobs/${layer()}`, errorBody: true },
  ];

  for (const method of ['GET', 'HEAD']) {
    for (const { what, path, headers = {}, errorBody = false } of cases) {
      test(`${method} of ${what}`, async () => {
        const common = { accept: manifestTypes, ...headers };
        const direct = await ask({ port: Number(registry.host.split(':')[1]) }, path(), {
          method,
          headers: { ...common, host: registry.host },
        });
        const mirrored = await ask(daemon, path(), {
          method,
          headers: { ...common, 'X-Dragonfly-Registry': registry.url },
        });
        assert.equal(mirrored.status, direct.status);
        if (errorBody && method === 'GET') {
          assert.equal(errorCode(mirrored), errorCode(direct));
          return;
        }
        for (const name of compared) assert.equal(mirrored.headers[name], direct.headers[name], name);
        assert.ok(mirrored.body.equals(direct.body));
      });
    }
  }

  /** Engines name the registry in different ways; a mirror that engines can rely on answers each of them alike. */
  const namings: Readonly<Record<string, (path: string) => { path: string; headers?: Record<string, string> }>> = {
    'a header': (path) => ({ path, headers: { 'X-Dragonfly-Registry': registry.url } }),
    "containerd's ns=": (path) => ({ path: `${path}?ns=${encodeURIComponent(registry.host)}` }),
    "the mirror's path": (path) => ({
      path: path.replace('/v2/', `/v2/dragonfly.via.http/${registry.host.replace(':', '_')}/`),
    }),
  };
  const asked: readonly { what: string; path: () => string; status: number; digest?: () => string; range?: string }[] =
    [
      { what: 'a tag', path: () => '/manifests/v1', status: 200, digest: () => image.manifest.digest },
      { what: 'a manifest digest', path: () => `/manifests/${image.manifest.digest}`, status: 200 },
      { what: 'a blob', path: () => `/blobs/${layer()}`, status: 200 },
      { what: 'a part of a blob', path: () => `/blobs/${layer()}`, status: 206, range: 'bytes=5-9' },
      { what: 'a part past the end', path: () => `/blobs/${layer()}`, status: 416, range: 'bytes=900000000-' },
      { what: 'an unknown tag, so that the engine goes on', path: () => '/manifests/none', status: 404 },
      { what: 'an unknown blob, so that the engine goes on', path: () => `/blobs/${unknownDigest}`, status: 404 },
    ];
  for (const [naming, target] of Object.entries(namings)) {
    for (const { what, path, status, digest, range } of asked) {
      for (const method of range === undefined ? ['GET', 'HEAD'] : ['GET']) {
        test(`by ${naming}: ${method} of ${what} is ${status}`, async () => {
          const { path: full, headers = {} } = target(`/v2/team/app${path()}`);
          const ranged: Record<string, string> = range === undefined ? {} : { range };
          const answer = await ask(daemon, full, { method, headers: { accept: manifestTypes, ...headers, ...ranged } });
          assert.equal(answer.status, status);
          if (digest) assert.equal(answer.headers['docker-content-digest'], digest());
          if (status < 400) assert.ok(Number(answer.headers['content-length']) > 0);
          if (status === 206) assert.match(answer.headers['content-range'] ?? '', /^bytes 5-9\/\d+$/);
          if (method === 'HEAD') assert.equal(answer.body.length, 0);
        });
      }
    }
  }

  test('a push through the mirror reaches the registry', async () => {
    const pushed = makeImage({ layers: 1, layerBytes: 50_000 });
    await pushImage(daemon.url, 'team/pushed', 'v1', pushed, (url, init) => {
      const headers = new Headers(init.headers);
      headers.set('X-Dragonfly-Registry', registry.url);
      return fetch(url.toString().replace(registry.url, daemon.url), { ...init, headers });
    });
    const answer = await ask({ port: Number(registry.host.split(':')[1]) }, '/v2/team/pushed/manifests/v1', {
      headers: { accept: manifestTypes, host: registry.host },
    });
    assert.equal(answer.headers['docker-content-digest'], pushed.manifest.digest);
  });
});

function errorCode({ body }: Answer): unknown {
  return (JSON.parse(body.toString()) as { errors: { code: unknown }[] }).errors[0]?.code;
}
