/** Rules with a target: real registries, with passwords and with tokens, a link that is cut, and a manager that restarts. */
// needs: docker-registry, skopeo
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { programExists } from '../../../scripts/debian-packages.ts';
import type { ManagerService } from '../../../src/manager/manager-service.ts';
import { DockerRegistry, registryUser } from '../../proxy/support/docker-registry.ts';
import { run } from '../../proxy/support/engines-fixture.ts';
import { makeImage, makeIndex, pushImage, type Image } from '../../proxy/support/images.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { databaseConfig, eventually } from '../support/engines.ts';
import { rootOf, startManager } from '../support/manager-fixture.ts';
import type { RestClient } from '../support/rest-client.ts';
import { startCutRelay, type CutRelay } from './cut-relay.ts';

const missing = ['docker-registry', 'skopeo'].find((program) => !programExists(program));

interface Copies {
  readonly proven: number;
  readonly failed: number;
  readonly bytes: number;
}

interface Rule {
  readonly id: number;
  readonly error: string;
  readonly target_username: string;
  readonly clusters: readonly object[];
  readonly target_copies: Copies | null;
}

interface Tag {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly target: { readonly state: string; readonly digest: string; readonly error: string } | null;
}

describe('a target of a rule', { skip: missing === undefined ? false : `${missing} is not installed` }, () => {
  let directory: TemporaryDirectory;
  let source: DockerRegistry;
  /** Behind TLS and a password, and a link that can be cut. */
  let target: DockerRegistry;
  let relay: CutRelay;
  let manager: ManagerService;
  let root: RestClient;
  const base = makeImage({ layers: 1, layerBytes: 3_000_000 });
  const images = new Map(Array.from({ length: 12 }, (_, index) => [`v${index}`, onTopOf(base)]));
  const both = makeIndex([
    { ...makeImage({ layers: 2, layerBytes: 50_000 }), architecture: 'amd64' },
    { ...makeImage({ layers: 2, layerBytes: 50_000, architecture: 'arm64' }), architecture: 'arm64' },
  ]);

  const start = async (): Promise<void> => {
    manager = await startManager(databaseConfig({ sqlite: { path: directory.join('manager.db') } }), {
      job: {
        preheat: {
          allowCIDRs: ['127.0.0.0/8'],
          tls: { caCert: target.ca },
          insecureHosts: [source.host],
        },
      },
    });
    root = await rootOf(manager);
  };

  before(async () => {
    directory = await temporaryDirectory('targets-');
    source = await DockerRegistry.start({ directory: directory.join('source'), auth: 'token' });
    target = await DockerRegistry.start({ directory: directory.join('target'), auth: 'basic', tls: true });
    relay = await startCutRelay(target.host);
    for (const [tag, image] of images) await pushImage(source.url, 'team/app', tag, image, source.request);
    await pushImage(source.url, 'team/app', 'both', both, source.request);
    await start();
  });
  after(async () => {
    await manager[Symbol.asyncDispose]();
    for (const each of [relay, source, target, directory]) await each[Symbol.asyncDispose]();
  });

  const login = { username: registryUser.username, password: registryUser.password };
  const targetLogin = { target_username: login.username, target_password: login.password };
  const create = async (name: string, more: object): Promise<string> => {
    const body = { name, source: `http://${source.host}/team/*`, to_clusters: false, ...login, ...more };
    const { id } = await root.ok<Rule>('POST', '/api/v1/replication-rules', body);
    return `/api/v1/replication-rules/${id}`;
  };
  const proven = (path: string, count: number): Promise<void> =>
    eventually(async () => {
      const { target_copies: copies } = await root.ok<Rule>('GET', path);
      assert.equal(copies?.proven, count, JSON.stringify(await root.ok('GET', `${path}/tags`)));
    }, 120_000);
  const sentBy = (digest: string): number => source.bytesSent(digest);

  test('tags of all platforms are there by the same digest, what they have in common goes once, and skopeo pulls them', async () => {
    const path = await create('all', {
      target: `https://${target.host}/mirror`,
      tags: ['v1*', 'both'],
      ...targetLogin,
    });
    await proven(path, 4);
    const rule = await root.ok<Rule>('GET', path);
    assert.deepEqual([rule.clusters, rule.target_username], [[], login.username]);
    const tags = await root.ok<Tag[]>('GET', `${path}/tags`);
    for (const { tag, digest, target: copy } of tags) {
      assert.equal(digest, (images.get(tag)?.manifest ?? both.index).digest);
      assert.deepEqual([copy?.state, copy?.digest, copy?.error], ['proven', digest, '']);
      const pulled = directory.join(`pulled-${tag}`);
      const from = `docker://${target.host}/mirror/team/app:${tag}`;
      const credentials = ['--src-tls-verify=false', '--src-creds', `${login.username}:${login.password}`];
      await run('skopeo', ['copy', '--all', ...credentials, from, `dir:${pulled}`]);
    }
    assert.equal(
      sentBy(base.layers[0]?.digest ?? ''),
      base.layers[0]?.content.length,
      'the layer of all images goes once',
    );
    const { target_copies: copies } = rule;
    const distinct = [base, images.get('v1'), images.get('v10'), images.get('v11'), ...both.images].flatMap((image) =>
      image ? [...image.layers, image.config] : [],
    );
    const bytes = new Map(distinct.map(({ digest, content }) => [digest, content.length]));
    bytes.delete(base.config.digest);
    assert.equal(
      copies?.bytes,
      [...bytes.values()].reduce((sum, each) => sum + each, 0),
      'each blob once',
    );
  });

  test('repositories that have a layer in common bring it to the target once, with tokens and with passwords', async (t) => {
    const shared = makeImage({ layers: 1, layerBytes: 500_000 });
    const names = ['one', 'two', 'three'];
    for (const name of names) await pushImage(source.url, `shared/${name}`, 'v1', onTopOf(shared), source.request);
    const digest = shared.layers[0]?.digest ?? '';
    for (const [name, place] of [
      ['tokens', `http://${source.host}/copied`],
      ['passwords', `https://${target.host}/copied`],
    ] as const) {
      const before = sentBy(digest);
      const path = await create(name, { source: `http://${source.host}/shared/*`, target: place, ...targetLogin });
      await proven(path, names.length);
      assert.equal(sentBy(digest) - before, shared.layers[0]?.content.length, name);
      t.diagnostic(`${name}: ${JSON.stringify((await root.ok<Rule>('GET', path)).target_copies)}`);
      await root.ok('DELETE', path);
    }
  });

  test('a link that is cut, and a manager that ends, cost what was half-way and nothing else', async (t) => {
    const path = await create('cut', {
      target: `https://127.0.0.1:${relay.port}/cut`,
      tags: ['v*'],
      concurrency: 2,
      ...targetLogin,
    });
    const before = sentBy(base.layers[0]?.digest ?? '');
    const own = (image: Image | undefined): string => image?.layers.at(-1)?.digest ?? '';
    const sent = new Map([...images].map(([tag, image]) => [tag, sentBy(own(image))]));
    await eventually(async () => {
      const { target_copies: copies } = await root.ok<Rule>('GET', path);
      assert.ok((copies?.proven ?? 0) >= 3);
    }, 60_000);
    relay.cut();
    await eventually(async () => {
      const { target_copies: copies } = await root.ok<Rule>('GET', path);
      assert.ok((copies?.failed ?? 0) > 0, 'nothing goes over a link that is cut');
    }, 60_000);
    await manager[Symbol.asyncDispose]();
    relay.restore();
    await start();
    await proven(path, images.size);
    assert.equal(
      sentBy(base.layers[0]?.digest ?? '') - before,
      base.layers[0]?.content.length,
      'what had arrived stays',
    );
    const again = [...images].filter(([tag, image]) => sentBy(own(image)) - (sent.get(tag) ?? 0) > layerOf(image));
    t.diagnostic(`${again.length} of ${images.size} layers were begun again`);
    assert.ok(again.length <= 4, `${again.length} layers were begun again`);
  });

  test('a bound on the rate is kept to, and with it an address without TLS that the operator allows', async () => {
    const image = makeImage({ layers: 1, layerBytes: 4_000_000 });
    await pushImage(source.url, 'team/big', 'slow', image, source.request);
    const path = await create('slow', {
      target: `http://${source.host}/copies`,
      target_username: login.username,
      target_password: login.password,
      tags: ['slow'],
      rate_bytes_per_sec: 2_000_000,
    });
    const startedMs = performance.now();
    await proven(path, 1);
    const seconds = (performance.now() - startedMs) / 1000;
    assert.ok(seconds > 1.6, `4 MB at 2 MB a second in ${seconds} s`);
    const { status } = await source.request(`${source.url}/v2/copies/team/big/manifests/slow`, {
      headers: { accept: image.manifest.mediaType },
    });
    assert.equal(status, 200);
  });

  test('what cannot be is refused', async () => {
    for (const [body, reason] of [
      [{ target: '' }, /needs clusters, a target/],
      [{ target: 'http://127.0.0.1:1/x' }, /not encrypted/],
      [{ target: `http://${source.host}/team` }, /lies in what the rule covers/],
      [{ target: `https://${target.host}`, source: 'hf://owner/name' }, /models cannot be pushed/],
      [{ target: 'Not A Registry' }, /registry\.example/],
      [{ target: `https://${target.host}`, target_username: 'me' }, /other half/],
    ] as const) {
      const answer = await root.request('POST', '/api/v1/replication-rules', {
        name: 'refused',
        source: `http://${source.host}/team/*`,
        to_clusters: false,
        ...body,
      });
      assert.ok(answer.status >= 400 && answer.status < 500, String(answer.status));
      assert.match(JSON.stringify(answer.body), reason);
    }
  });

  test('what is proven of one place, or of one source, is proven of no other; a login goes nowhere else', async () => {
    const path = await create('moves', { target: `https://${target.host}/first`, tags: ['v1'], ...targetLogin });
    await proven(path, 1);
    await root.ok('PATCH', path, { target: `https://${target.host}/second` });
    await proven(path, 1);
    const there = `docker://${target.host}/second/team/app:v1`;
    await run('skopeo', [
      'inspect',
      '--raw',
      '--tls-verify=false',
      '--creds',
      `${login.username}:${login.password}`,
      there,
    ]);
    const [shown] = await root.ok<Tag[]>('GET', `${path}/tags`);
    assert.equal(shown?.target?.state, 'proven');
    await root.ok('PATCH', path, { enabled: false });
    const other = await root.ok<Rule>('PATCH', path, { target: 'https://other.invalid/x' });
    assert.equal(other.target_username, '');
    await root.ok('PATCH', path, { source: 'other.invalid/team/*' });
    assert.deepEqual(await root.ok('GET', `${path}/tags`), []);
  });

  test('an upload goes on where the target says that it is', async () => {
    const content = base.layers[0]?.content ?? Buffer.alloc(0);
    const got: Buffer[] = [];
    const patches: string[] = [];
    const manifests = new Map<string, Buffer>();
    // A registry that keeps what came before a line broke, as the specification has it; Debian's forgets it.
    const server = createServer((request, response) => {
      const { method = '', url = '' } = request;
      const at = { location: '/v2/x/team/app/blobs/uploads/1' };
      const reference = url.split('/manifests/')[1];
      if (reference !== undefined && method === 'PUT') {
        const parts: Buffer[] = [];
        request.on('data', (part: Buffer) => parts.push(part));
        request.on('end', () => {
          manifests.set(reference, Buffer.concat(parts));
          response.writeHead(201).end();
        });
      } else if (reference !== undefined) {
        const there = manifests.get(reference);
        response.writeHead(there ? 200 : 404, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' });
        response.end(method === 'HEAD' ? undefined : there);
      } else if (method === 'HEAD') {
        const isBase = url.endsWith(base.layers[0]?.digest ?? '');
        response.writeHead(isBase ? 404 : 200).end();
      } else if (method === 'POST') response.writeHead(202, at).end();
      else if (method === 'PATCH') {
        patches.push(String(request.headers['content-range'] ?? ''));
        request.on('data', (part: Buffer) => {
          got.push(part);
          if (patches.length === 1 && Buffer.concat(got).length > 1_000_000) request.socket.destroy();
        });
        request.on('end', () => response.writeHead(202, at).end());
      } else if (method === 'GET')
        response.writeHead(204, { ...at, range: `0-${Buffer.concat(got).length - 1}` }).end();
      else response.writeHead(201).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      await manager[Symbol.asyncDispose]();
      manager = await startManager(databaseConfig({ sqlite: { path: directory.join('manager.db') } }), {
        job: { preheat: { allowCIDRs: ['127.0.0.0/8'], insecureHosts: ['127.0.0.1', source.host] } },
      });
      root = await rootOf(manager);
      const path = await create('resumed', { target: `http://127.0.0.1:${port}/x`, tags: ['v2'] });
      await proven(path, 1);
      assert.equal(patches.length, 2);
      assert.match(patches[1] ?? '', /^\d{7}-\d+$/);
      assert.ok(Buffer.concat(got).equals(content));
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

/** An image of its own layer above those of another. */
function onTopOf(base: Image): Image {
  const image = makeImage({ layers: 1, layerBytes: 300_000 });
  const manifest = JSON.parse(image.manifest.content.toString()) as { layers: object[] };
  const below = (JSON.parse(base.manifest.content.toString()) as { layers: object[] }).layers;
  const index = Buffer.from(JSON.stringify({ ...manifest, layers: [...below, ...manifest.layers] }));
  const { mediaType } = image.manifest;
  return {
    ...image,
    layers: [...base.layers, ...image.layers],
    manifest: { digest: digestOf(index), content: index, mediaType },
  };
}

function layerOf(image: Image): number {
  return image.layers.at(-1)?.content.length ?? 0;
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
