// needs: docker-registry
/**
 * What nydusd does with a mirror (`auth_through: false`): the token from the registry itself, then HEAD and many small
 * ranges of the blob from the mirror, several at a time; a broken mirror is left for the registry after a few failures.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { DockerRegistry, registryUser } from '../support/docker-registry.ts';
import { makeImage, pushImage } from '../support/images.ts';
import { ask, startDaemon } from '../support/proxy-fixture.ts';

const kibibyte = 1024;
const threads = 8;

/** First bytes of a boot: metadata at the end, then scattered chunks of 128 KiB to 1 MiB, the same in every run. */
function recordedRanges(lengthBytes: number): { start: number; length: number }[] {
  const ranges = [{ start: lengthBytes - 128 * kibibyte, length: 128 * kibibyte }];
  let state = 7;
  for (let index = 0; index < 40; index += 1) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    const length = (128 << (state % 4)) * kibibyte;
    ranges.push({ start: Math.floor((state / 2 ** 31) * (lengthBytes - length)), length });
  }
  return ranges;
}

test('ranges in nydusd order: every one right with the true total, few requests to the registry', async () => {
  await using directory = await temporaryDirectory('df-nydus-');
  await using registry = await DockerRegistry.start({ directory: directory.join('registry'), auth: 'token' });
  await using daemon = await startDaemon({ proxy: { prefetch: true } });
  const content = randomBytes(24 * 2 ** 20);
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const image = { ...makeImage({ layers: 0, layerBytes: 0 }), layers: [{ digest, content }] };
  await pushImage(registry.url, 'lazy/app', 'nydus', image, registry.request);

  const path = `/v2/lazy/app/blobs/${digest}`;
  const refused = await fetch(`${registry.url}${path}`, { headers: { range: 'bytes=0-1' } });
  assert.equal(refused.status, 401);
  const [, realm = '', service = '', scope = ''] =
    /realm="([^"]+)",service="([^"]+)",scope="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? [];
  const login = `Basic ${Buffer.from(`${registryUser.username}:${registryUser.password}`).toString('base64')}`;
  const answer = await fetch(`${realm}?service=${service}&scope=${scope}`, { headers: { authorization: login } });
  const { token } = (await answer.json()) as { token: string };

  const headers = { Authorization: `Bearer ${token}`, 'X-Dragonfly-Registry': registry.url };
  const size = await ask(daemon, path, { method: 'HEAD', headers });
  assert.equal(size.headers['content-length'], String(content.length));

  const queue = recordedRanges(content.length);
  const worker = async (): Promise<void> => {
    for (let range = queue.shift(); range; range = queue.shift()) {
      const { start, length } = range;
      const part = await ask(daemon, path, { headers: { ...headers, Range: `bytes=${start}-${start + length - 1}` } });
      assert.equal(part.status, 206);
      assert.equal(part.headers['content-range'], `bytes ${start}-${start + length - 1}/${content.length}`);
      assert.ok(part.body.equals(content.subarray(start, start + length)));
    }
  };
  await Promise.all(Array.from({ length: threads }, worker));
  const cold = registry.gets(digest);
  // How many ranges come soon enough by themselves is a matter of how fast the registry is.
  assert.ok(cold <= 10, `${cold} requests to the registry for 41 ranges`);

  queue.push(...recordedRanges(content.length));
  await Promise.all(Array.from({ length: threads }, worker));
  assert.equal(registry.gets(digest), cold);
  assert.ok(
    registry.bytesSent(digest) <= content.length * 1.4,
    `${registry.bytesSent(digest)} bytes left the registry`,
  );

  const stranger = await ask(daemon, path, { headers: { 'X-Dragonfly-Registry': registry.url, Range: 'bytes=0-9' } });
  assert.equal(stranger.status, 401);
  assert.match(stranger.headers['www-authenticate'] ?? '', /^Bearer realm=/);
});
