import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import type { DragonflyError } from '../../src/core/errors.ts';
import {
  PreheatFileRequest,
  PreheatImageRequest,
  StatFileRequest,
  StatImageRequest,
} from '../../gen/scheduler/v2/scheduler.ts';
import { waitFor } from '../support/wait-for.ts';
import { SchedulerFixture, url } from './fixture.ts';
import { startDaemon } from './preheated-daemon.ts';

const timeout = 120_000;

const preheat = (fields: Parameters<typeof PreheatFileRequest.fromPartial>[0] = {}): PreheatFileRequest =>
  PreheatFileRequest.fromPartial({ url, scope: 'all_peers', waitForCompletion: true, ...fields });

void describe('a preheat of files', () => {
  void it('goes to every host of the scope, and each outcome is told', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const good = await startDaemon(fixture);
    const bad = await startDaemon(fixture, { fails: true });
    const { outcomes } = await fixture.client.preheatFile(
      preheat({ tag: 'v1', header: { authorization: 'Bearer x' } }),
    );
    const byHost = new Map(outcomes.map((outcome) => [outcome.hostId, outcome.error]));
    assert.equal(byHost.get(good.host.id), '');
    assert.match(byHost.get(bad.host.id) ?? '', /the disk is full/);
    const { download } = good.asked[0] ?? {};
    assert.equal(download?.tag, 'v1');
    assert.deepEqual({ ...download?.requestHeader }, { authorization: 'Bearer x' });

    const { peers } = await fixture.client.statFile(StatFileRequest.fromPartial({ url, tag: 'v1' }));
    assert.deepEqual(
      peers.map(({ hostname, cachedFiles }) => [hostname, cachedFiles[0]?.isFinished]),
      [[good.host.hostname, true]],
    );
    assert.deepEqual((await fixture.client.statFile(StatFileRequest.fromPartial({ url, tag: 'v2' }))).peers, []);
  });

  void it('at a single seed takes the next one when the first fails', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const seeds = [await startDaemon(fixture, { seed: true, fails: true }), await startDaemon(fixture, { seed: true })];
    const urls = Array.from({ length: 8 }, (_, index) => `${url}-${index}`);
    const { outcomes } = await fixture.client.preheatFile(
      preheat({ scope: '', url: urls[0] ?? '', urls: urls.slice(1) }),
    );
    assert.equal(outcomes.length, 8);
    assert.ok(outcomes.every(({ error, hostId }) => error === '' && hostId === seeds[1]?.host.id));
    assert.ok((seeds[0]?.asked.length ?? 0) > 0, 'the failing seed is the first for some of the files');
    assert.ok(seeds[1]?.asked.every(({ download }) => download?.needBackToSource === true));
  });

  void it('of a directory is one of its files, and does not wait unless asked to', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start();
    const { asked } = await startDaemon(fixture);
    const { outcomes } = await fixture.client.preheatFile(preheat({ url: `${url}/`, waitForCompletion: false }));
    assert.deepEqual(outcomes, []);
    await waitFor('both downloads', () => asked.length === 2);
    assert.deepEqual(new Set(asked.map(({ download }) => download?.url)), new Set([`${url}/a`, `${url}/b`]));
  });

  void it('is refused without a target, with a path on other machines, and too often', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start('job: { rateLimit: 2 }');
    await assert.rejects(fixture.client.preheatFile(preheat({ outputPath: '/etc/passwd' })), {
      code: 'PERMISSION_DENIED',
    });
    await assert.rejects(fixture.client.preheatFile(preheat()), { code: 'FAILED_PRECONDITION' });
    await assert.rejects(fixture.client.preheatFile(preheat({ scope: 'everywhere' })), { code: 'INVALID_ARGUMENT' });
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => fixture.client.preheatFile(preheat())));
    const codes = results.map((result) => result.status === 'rejected' && (result.reason as DragonflyError).code);
    assert.ok(codes.includes('RESOURCE_EXHAUSTED'), codes.join());
  });
});

/** A registry with one image, which asks for a token. */
async function startRegistry(fixture: SchedulerFixture) {
  const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
  const descriptor = (digit: string, fields: object = {}) => ({
    mediaType: 'm',
    digest: digest(digit),
    size: 1,
    ...fields,
  });
  const index = {
    manifests: [
      descriptor('1', { platform: { os: 'linux', architecture: 'amd64' } }),
      descriptor('2', { platform: { os: 'linux', architecture: 'arm64' } }),
    ],
  };
  const image = { config: descriptor('a'), layers: [descriptor('b'), descriptor('c')] };
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const json = (status: number, body: object): void => {
      response.writeHead(status, { 'www-authenticate': `Bearer realm="${base}/token",service="s"` });
      response.end(JSON.stringify(body));
    };
    if (path.startsWith('/token')) {
      const basic = `Basic ${Buffer.from('user:secret').toString('base64')}`;
      return json(request.headers.authorization === basic ? 200 : 403, { token: 'tok', expires_in: 300 });
    }
    if (request.headers.authorization !== 'Bearer tok') return json(401, {});
    return json(200, path.endsWith('/manifests/v1') ? index : image);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fixture.owned.defer('registry', () => new Promise<void>((resolve) => server.close(() => resolve())));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    manifest: `${base}/v2/library/app/manifests/v1`,
    blob: (digit: string) => `${base}/v2/library/app/blobs/${digest(digit)}`,
  };
}

void describe('a preheat of an image', () => {
  const access = { username: 'user', password: 'secret', platform: 'linux/arm64' };
  const loopback = 'job: { preheat: { allowCIDRs: [127.0.0.0/8] } }';

  void it('fetches every blob of the platform with the token of the registry', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start(loopback);
    const registry = await startRegistry(fixture);
    const { asked, host } = await startDaemon(fixture);
    const request = { url: registry.manifest, scope: 'all_peers', waitForCompletion: true, ...access };
    const { outcomes } = await fixture.client.preheatImage(PreheatImageRequest.fromPartial(request));
    const blobs = ['a', 'b', 'c'].map(registry.blob);
    assert.deepEqual(new Set(outcomes.map((outcome) => outcome.url)), new Set(blobs));
    assert.ok(outcomes.every(({ error }) => error === ''));
    assert.ok(asked.every(({ download }) => download?.requestHeader['authorization'] === 'Bearer tok'));
    assert.ok(asked.every(({ download }) => download?.enableTaskIdBasedBlobDigest === true));

    const found = await fixture.client.statImage(StatImageRequest.fromPartial({ url: registry.manifest, ...access }));
    assert.deepEqual(
      found.image?.layers.map((layer) => layer.url),
      blobs,
    );
    assert.equal(found.peers.length, 1);
    assert.equal(found.peers[0]?.hostname, host.hostname);
    assert.deepEqual(new Set(found.peers[0]?.cachedLayers.map((layer) => layer.url)), new Set(blobs));
  });

  void it('names blobs as the proxies of the cluster did in the last pull, and tells it', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start(loopback);
    const registry = await startRegistry(fixture);
    const { asked } = await startDaemon(fixture, { seed: true });
    const told = async (): Promise<boolean | undefined> => (await fixture.client.listHosts({})).blobsByUrl;
    const pulls = async (byDigest: boolean, fields: { readonly seed: boolean }): Promise<void> => {
      const peer = fixture.peer(await fixture.host({ type: fields.seed ? 1 : 0 }), { task: 'd'.repeat(64) });
      peer.register({ url: registry.blob('d'), enableTaskIdBasedBlobDigest: byDigest });
      await waitFor('the registration', () => fixture.scheduler.brain.swarm.peer(peer.id) !== undefined);
    };
    const preheated = async (): Promise<boolean[]> => {
      asked.splice(0);
      const request = { url: registry.manifest, scope: 'all_seed_peers', waitForCompletion: true, ...access };
      await fixture.client.preheatImage(PreheatImageRequest.fromPartial(request));
      return [...new Set(asked.map(({ download }) => download?.enableTaskIdBasedBlobDigest === true))];
    };
    assert.equal(await told(), undefined);
    assert.deepEqual(await preheated(), [true]);
    await pulls(false, { seed: true });
    assert.equal(await told(), undefined, 'a seed fetches what it was told to');
    await pulls(false, { seed: false });
    assert.equal(await told(), true);
    assert.deepEqual(await preheated(), [false]);
    await pulls(true, { seed: false });
    assert.equal(await told(), false);
    assert.deepEqual(await preheated(), [true]);
  });

  void it('says why it cannot', { timeout }, async () => {
    await using fixture = await SchedulerFixture.start(loopback);
    const registry = await startRegistry(fixture);
    await startDaemon(fixture);
    const attempt = (fields: object) =>
      fixture.client.preheatImage(
        PreheatImageRequest.fromPartial({ url: registry.manifest, scope: 'all_peers', ...fields }),
      );
    await assert.rejects(attempt({ ...access, password: 'wrong' }), { code: 'SOURCE_STATUS' });
    await assert.rejects(attempt({ ...access, platform: 'linux/s390x' }), { code: 'NOT_FOUND', message: /arm64/ });
    await assert.rejects(attempt({ url: 'http://127.0.0.1/file' }), { code: 'INVALID_ARGUMENT' });
    await using strict = await SchedulerFixture.start();
    const own = `http://${strict.scheduler.addresses.grpc}/v2/a/manifests/b`;
    await assert.rejects(strict.client.preheatImage(PreheatImageRequest.fromPartial({ url: own })), {
      code: 'PERMISSION_DENIED',
    });
  });
});
