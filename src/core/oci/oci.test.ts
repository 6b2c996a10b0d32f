import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAuthChallenges } from './auth-challenge.ts';
import { candidatesFor, parseManifest, parsePlatform, type Descriptor } from './manifest.ts';
import { blobUrl, manifestUrlOfImage, parseManifestUrl } from './reference.ts';

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;

describe('manifest URLs', () => {
  test('by tag and by digest', () => {
    const byTag = parseManifestUrl('https://r.example:5000/v2/library/alpine/manifests/3.20');
    assert.deepEqual(byTag, { registry: 'https://r.example:5000', name: 'library/alpine', reference: '3.20' });
    assert.equal(blobUrl(byTag, digest('a')), `https://r.example:5000/v2/library/alpine/blobs/${digest('a')}`);
    assert.equal(parseManifestUrl(`http://r/v2/a/manifests/${digest('b')}`).reference, digest('b'));
  });
  for (const url of [
    'https://r/v2/a/blobs/x',
    'https://r/v2/A/manifests/x',
    'file:///v2/a/manifests/x',
    'https://r/v2/a/manifests/',
    'x',
  ]) {
    test(`${url} is none`, () => {
      assert.throws(() => parseManifestUrl(url), { code: 'INVALID_ARGUMENT' });
    });
  }
});

describe('images by name', () => {
  for (const [name, url] of [
    ['nginx:1.27', 'https://registry-1.docker.io/v2/library/nginx/manifests/1.27'],
    ['nginx', 'https://registry-1.docker.io/v2/library/nginx/manifests/latest'],
    ['docker.io/bitnami/redis:7', 'https://registry-1.docker.io/v2/bitnami/redis/manifests/7'],
    ['ghcr.io/org/app', 'https://ghcr.io/v2/org/app/manifests/latest'],
    [`ghcr.io/org/app:1@${digest('a')}`, `https://ghcr.io/v2/org/app/manifests/${digest('a')}`],
    ['registry.example:5000/a:1', 'https://registry.example:5000/v2/a/manifests/1'],
    ['127.0.0.1:5000/a/b:1', 'http://127.0.0.1:5000/v2/a/b/manifests/1'],
    ['localhost/a', 'http://localhost/v2/a/manifests/latest'],
  ] as const) {
    test(name, () => {
      assert.equal(manifestUrlOfImage(name), url);
      parseManifestUrl(url);
    });
  }
  for (const name of ['', 'Nginx', 'a:', 'a@sha256:1', 'http://r/a', 'a b', 'r.example:5000/', '-a', '../a'])
    test(`none: ${name}`, () => assert.equal(manifestUrlOfImage(name), undefined));
});

describe('manifests', () => {
  const entry = (digit: string, extra: object = {}) => ({ mediaType: 'm', digest: digest(digit), size: 1, ...extra });

  test('an image is its configuration and layers, each once, foreign ones left out', () => {
    const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
    const foreign = entry('3', { urls: ['https://x'], mediaType });
    const text = JSON.stringify({
      config: entry('1'),
      layers: [entry('2'), entry('2'), foreign],
    });
    const manifest = parseManifest(text);
    assert.ok(manifest.kind === 'image');
    assert.deepEqual(
      manifest.blobs.map((blob) => blob.digest),
      [digest('1'), digest('2')],
    );
  });
  test('layers that also lie elsewhere, artifacts and the first schema have blobs in the registry', () => {
    const digests = (manifest: object): string[] => {
      const parsed = parseManifest(JSON.stringify(manifest));
      return parsed.kind === 'image' ? parsed.blobs.map((blob) => blob.digest) : [];
    };
    const elsewhere = entry('2', { urls: ['https://x'] });
    assert.deepEqual(digests({ config: entry('1'), layers: [elsewhere] }), [digest('1'), digest('2')]);
    assert.deepEqual(digests({ artifactType: 'a', blobs: [entry('1')] }), [digest('1')]);
    assert.deepEqual(digests({ schemaVersion: 1, fsLayers: [{ blobSum: digest('1') }] }), [digest('1')]);
  });
  for (const text of ['', '[]', '{}', JSON.stringify({ config: entry('1', { digest: 'sha256:../x' }), layers: [] })]) {
    test(`refused: ${text.slice(0, 20)}`, () => {
      assert.throws(() => parseManifest(text), { code: 'PROTOCOL' });
    });
  }
});

describe('platforms', () => {
  const offered = (platform: string, digit: string): Descriptor => ({
    mediaType: '',
    digest: digest(digit),
    sizeBytes: 1,
    platform: parsePlatform(platform),
  });
  const manifests = [
    offered('linux/arm/v6', '1'),
    offered('linux/arm/v7', '2'),
    offered('linux/arm64/v8', '3'),
    offered('linux/amd64', '4'),
  ];
  const select = (text: string): string => candidatesFor(manifests, parsePlatform(text))[0]?.digest ?? '';

  test('the wanted variant, else the highest below it', () => {
    assert.equal(select('linux/amd64'), digest('4'));
    assert.equal(select('linux/arm64'), digest('3'));
    assert.equal(select('linux/arm'), digest('2'));
    assert.equal(select('linux/arm/v6'), digest('1'));
    assert.throws(() => select('linux/s390x'), /linux\/arm64\/v8/);
    assert.throws(() => select('linux/arm/v5'), { code: 'NOT_FOUND' });
  });
});

describe('challenges', () => {
  test('bearer with quoted parameters, then basic', () => {
    assert.deepEqual(
      parseAuthChallenges(
        'Bearer realm="https://a/token",service="r, \\"x\\"", scope="repository:a:pull",Basic realm=x',
      ),
      [
        { scheme: 'bearer', parameters: { realm: 'https://a/token', service: 'r, "x"', scope: 'repository:a:pull' } },
        { scheme: 'basic', parameters: { realm: 'x' } },
      ],
    );
  });
  test('what is none', () => assert.deepEqual(parseAuthChallenges('="x" ,,'), []));
});
