// needs: docker-registry
/**
 * What the distribution specification says about pushing and managing content: step by step through a node, as a mirror and as
 * a forward proxy, with the answers that the registry itself gives.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { DockerRegistry } from '../support/docker-registry.ts';
import { ask, startDaemon, type Answer, type Ask, type ProxiedDaemon } from '../support/proxy-fixture.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const octets = { 'content-type': 'application/octet-stream' };
const digestOf = (content: Buffer): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;

/** One request: to a path of the registry, or to where an upload goes on. */
type Send = (target: string, options?: Ask) => Promise<Answer>;

/** What is compared, in the order of the steps. */
type Transcript = string[];

const compared = ['content-length', 'content-range', 'docker-content-digest', 'range', 'content-type', 'link', 'allow'];

async function pushAndManage(send: Send, repository: string): Promise<Transcript> {
  const transcript: Transcript = [];
  const base = `/v2/${repository}`;
  const step = async (what: string, target: string, options: Ask = {}): Promise<Answer> => {
    const answer = await send(target, options);
    const header = compared.flatMap((name) =>
      answer.headers[name] === undefined ? [] : `${name}=${String(answer.headers[name])}`,
    );
    transcript.push(`${what}: ${answer.status} ${header.join(' ')}`.replaceAll(repository, 'NAME'));
    return answer;
  };
  const begin = async (what: string, query = '', repo = base): Promise<string> =>
    String(
      (await step(what, `${repo}/blobs/uploads/${query}`, { method: 'POST', headers: { 'content-length': '0' } }))
        .headers.location,
    );
  const finish = (location: string, digest: string): string =>
    `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`;
  const content = Buffer.alloc(300_000, repository);
  const digest = digestOf(content);
  const config = Buffer.from('{"architecture":"amd64","os":"linux"}');

  await step('whole, with a length', finish(await begin('upload'), digest), {
    method: 'PUT',
    headers: octets,
    body: content,
  });
  await step('it is there', `${base}/blobs/${digest}`, { method: 'HEAD' });
  const other = Buffer.alloc(200_000, `${repository} in chunks`);
  const chunked = { ...octets, 'transfer-encoding': 'chunked' };
  const streamed = await step('streamed', await begin('upload'), { method: 'PATCH', headers: chunked, body: other });
  await step('how far it is', String(streamed.headers.location), { method: 'GET' });
  await step('closed', finish(String(streamed.headers.location), digestOf(other)), {
    method: 'PUT',
    headers: { 'content-length': '0' },
  });

  const parts = Buffer.alloc(100_000, `${repository} in parts`);
  let location = await begin('upload in parts');
  for (const [first, end] of [
    [0, 60_000],
    [60_000, 100_000],
  ] as const) {
    const headers = { ...octets, 'content-range': `${first}-${end - 1}` };
    const answer = await step(`part from ${first}`, location, {
      method: 'PATCH',
      headers,
      body: parts.subarray(first, end),
    });
    location = String(answer.headers.location);
  }
  await step('part out of order', location, {
    method: 'PATCH',
    headers: { ...octets, 'content-range': '5-9' },
    body: 'aaaaa',
  });
  await step('closed', finish(location, digestOf(parts)), { method: 'PUT', headers: { 'content-length': '0' } });
  await step('with a wrong digest', finish(await begin('upload'), digest), {
    method: 'PUT',
    headers: octets,
    body: 'other',
  });
  await step('cancelled', await begin('upload'), { method: 'DELETE' });

  await step('mounted', `/v2/${repository}-too/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(repository)}`, {
    method: 'POST',
    headers: { 'content-length': '0' },
  });
  await step('it is there, too', `/v2/${repository}-too/blobs/${digest}`, { method: 'HEAD' });
  await begin('mount of what is not there', `?mount=sha256:${'1'.repeat(64)}&from=none/such`);

  await step('configuration', finish(await begin('upload'), digestOf(config)), {
    method: 'PUT',
    headers: octets,
    body: config,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', size: config.length, digest: digestOf(config) },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', size: content.length, digest }],
    }),
  );
  const typed = { 'content-type': manifestType, accept: manifestType };
  for (const tag of ['v1', 'v2', 'v3']) {
    const framing: Record<string, string> = tag === 'v2' ? { 'transfer-encoding': 'chunked' } : {};
    await step(`manifest ${tag}`, `${base}/manifests/${tag}`, {
      method: 'PUT',
      headers: { ...typed, ...framing },
      body: manifest,
    });
  }
  await step('manifest that names what is not there', `${base}/manifests/bad`, {
    method: 'PUT',
    headers: typed,
    body: manifest.toString().replace(digest, `sha256:${'2'.repeat(64)}`),
  });
  for (const query of ['', '?n=2', '?n=2&last=v2', '?n=0']) await step(`tags${query}`, `${base}/tags/list${query}`);
  await step('referrers', `${base}/referrers/${digestOf(manifest)}?artifactType=a%2Fb`);
  for (const reference of ['v2', digestOf(manifest)]) {
    for (const method of ['GET', 'HEAD'])
      await step(`${method} of manifest`, `${base}/manifests/${reference}`, { method, headers: typed });
  }
  await step('delete the manifest', `${base}/manifests/${digestOf(manifest)}`, { method: 'DELETE' });
  for (const method of ['HEAD', 'GET'])
    await step(`${method}: it is gone`, `${base}/manifests/v1`, { method, headers: typed });
  await step('HEAD by digest: it is gone', `${base}/manifests/${digestOf(manifest)}`, {
    method: 'HEAD',
    headers: typed,
  });
  await step('delete a blob', `${base}/blobs/${digestOf(parts)}`, { method: 'DELETE' });
  await step('it is gone', `${base}/blobs/${digestOf(parts)}`, { method: 'HEAD' });
  await step('delete what is not there', `${base}/blobs/sha256:${'3'.repeat(64)}`, { method: 'DELETE' });
  return transcript;
}

describe('a push by way of a node is a push to the registry', () => {
  let directory: TemporaryDirectory;
  let registry: DockerRegistry;
  let daemon: ProxiedDaemon;
  before(async () => {
    directory = await temporaryDirectory('df-pushes-');
    registry = await DockerRegistry.start({ directory: directory.join('registry') });
    daemon = await startDaemon();
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });

  /** Uploads go on where the registry says, which is a whole URL of its own. */
  const pathOf = (target: string): string => target.replace(registry.url, '');
  const ways: Readonly<Record<string, () => Send>> = {
    mirror:
      () =>
      (target, options = {}) =>
        ask(daemon, pathOf(target), {
          ...options,
          headers: { ...options.headers, 'X-Dragonfly-Registry': registry.url },
        }),
    'forward proxy': () => (target, options) => ask(daemon, `${registry.url}${pathOf(target)}`, options),
  };
  for (const [way, send] of Object.entries(ways)) {
    test(`as a ${way}`, async () => {
      const names = Array.from({ length: 2 }, () => `team/p${randomBytes(6).toString('hex')}`);
      const port = Number(registry.host.split(':')[1]);
      const direct: Send = (target, options = {}) =>
        ask({ port }, pathOf(target), { ...options, headers: { ...options.headers, host: registry.host } });
      const [expected, got] = [
        await pushAndManage(direct, names[0] ?? ''),
        await pushAndManage(send(), names[1] ?? ''),
      ];
      const plain = (transcript: Transcript): string[] =>
        transcript.map((line) => line.replaceAll(/sha256:[0-9a-f]{64}/g, 'DIGEST'));
      assert.deepEqual(plain(got), plain(expected));
      assert.ok(
        expected.some((line) => line.startsWith('whole, with a length: 201')),
        expected.join('\n'),
      );
    });
  }
});
