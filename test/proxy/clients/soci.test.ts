// needs: docker-registry
/**
 * What soci-snapshotter asks of a mirror, replayed: it can set no header, so the daemon knows the registry by itself. It
 * looks for the SOCI index of the image (referrers, then the fallback tag), fetches index and ztocs whole, learns the
 * size of each layer by a range of two bytes, and then reads spans of the layers in the order in which files are opened.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { DockerRegistry } from '../support/docker-registry.ts';
import { makeImage, makeIndex, pushImage } from '../support/images.ts';
import { ask, startDaemon, type Answer } from '../support/proxy-fixture.ts';

const mebibyte = 2 ** 20;
const spanBytes = mebibyte;
const readers = 4;

test('spans in the order of a lazy start: every one right, one copy of each layer', { timeout: 240_000 }, async () => {
  await using directory = await temporaryDirectory('df-soci-');
  await using registry = await DockerRegistry.start({ directory: directory.join('registry'), tls: true });
  assert.ok(registry.ca);
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'; // this process alone, which pushes the images
  await using daemon = await startDaemon({
    proxy: { prefetch: true, registryMirror: { url: registry.url, certs: [registry.ca] } },
  });
  const image = makeImage({ layers: 2, layerBytes: 3 * mebibyte });
  await pushImage(registry.url, 'lazy/soci', 'v1', image);
  const ztocs = { ...makeImage({ layers: 2, layerBytes: 20_000 }), architecture: 'amd64' };
  const soci = makeIndex([ztocs]);
  const fallback = image.manifest.digest.replace(':', '-');
  await pushImage(registry.url, 'lazy/soci', fallback, soci);
  const get = (path: string, range?: string): Promise<Answer> =>
    ask(daemon, `/v2/lazy/soci/${path}`, {
      headers: {
        Accept: `${soci.index.mediaType}, */*`,
        'User-Agent': 'soci-snapshotter/0.4.1',
        ...(range !== undefined && { Range: range }),
      },
    });

  const resolved = await ask(daemon, '/v2/lazy/soci/manifests/v1', {
    method: 'HEAD',
    headers: { Accept: image.manifest.mediaType },
  });
  assert.equal(resolved.headers['docker-content-digest'], image.manifest.digest);
  assert.equal((await get(`referrers/${image.manifest.digest}`)).status, 404, 'this registry has none');
  const index = await get(`manifests/${fallback}`);
  assert.ok(index.body.equals(soci.index.content));
  for (const { digest, content } of ztocs.layers) assert.ok((await get(`blobs/${digest}`)).body.equals(content));

  const spans: { digest: string; content: Buffer; start: number; end: number }[] = [];
  for (const { digest, content } of image.layers) {
    const size = await get(`blobs/${digest}`, 'bytes=0-1');
    assert.equal(size.status, 206);
    assert.equal(size.headers['content-range'], `bytes 0-1/${content.length}`);
    // Spans begin behind the header of the gzip stream.
    for (let start = 10; start < content.length; start += spanBytes)
      spans.push({ digest, content, start, end: Math.min(start + spanBytes, content.length) });
  }
  const order = spans.map((span) => ({ span, key: randomBytes(4).readUInt32LE() })).sort((a, b) => a.key - b.key);
  const read = async (): Promise<void> => {
    for (let next = order.shift(); next; next = order.shift()) {
      const { digest, content, start, end } = next.span;
      const answer = await get(`blobs/${digest}`, `bytes=${start}-${end - 1}`);
      assert.equal(answer.status, 206);
      assert.equal(answer.headers['content-range'], `bytes ${start}-${end - 1}/${content.length}`);
      assert.ok(answer.body.equals(content.subarray(start, end)));
    }
  };
  await Promise.all(Array.from({ length: readers }, read));
  for (const { digest, content } of image.layers) {
    const bytes = registry.bytesSent(digest);
    assert.ok(bytes <= content.length * 1.02, `${bytes} bytes of ${content.length} left the registry`);
  }
});
