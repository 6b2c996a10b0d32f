// needs: docker-registry, skopeo
/** What clients push through one node is on that node, for the others: the registry is asked who may have it, and for no layer. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parseConfig } from '../../../src/core/config/config.ts';
import { dfdaemonConfigSchema, type DfdaemonConfig } from '../../../src/dfdaemon/config.ts';
import { createClient } from '../../../src/rpc/client.ts';
import { DfdaemonLocalDefinition } from '../../../gen/dfdaemon/v2/local.ts';
import { LocalSwarm, type Daemon } from '../../support/local-swarm.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { waitFor } from '../../support/wait-for.ts';
import { DockerRegistry } from '../support/docker-registry.ts';
import { localAddress, type LocalAddress } from '../support/engines-fixture.ts';
import { makeImage, pushImage, type Image } from '../support/images.ts';
import { ask, type Answer, type Ask } from '../support/proxy-fixture.ts';

const run = promisify(execFile);
const octets = { 'content-type': 'application/octet-stream' };
const sha256 = (content: Buffer): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;

describe('pushes that are kept', { timeout: 120_000 }, () => {
  let directory: TemporaryDirectory;
  let local: LocalAddress;
  let registry: DockerRegistry;
  let swarm: LocalSwarm;
  const daemons: Daemon[] = [];
  before(async () => {
    directory = await temporaryDirectory('df-kept-');
    local = await localAddress();
    registry = await DockerRegistry.start({ directory: directory.join('registry'), address: local.address });
    swarm = await LocalSwarm.create();
    await swarm.startScheduler();
    const { rules } = parseConfig(dfdaemonConfigSchema, 'proxy: {rules: [{regx: .}]}', 'rules.yaml').config.proxy;
    const adjust = (config: DfdaemonConfig): DfdaemonConfig => {
      const access = { ...config.proxy.access, whenOriginDown: 'allow' as const };
      return { ...config, proxy: { ...config.proxy, rules, access } };
    };
    for (let number = 1; number <= 10; number += 1) daemons.push(await swarm.startDaemon(`node-${number}`, { adjust }));
  });
  after(async () => {
    await swarm[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await local[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });
  const daemon = (number: number): Daemon => daemons[number - 1] ?? assert.fail(`there is no node ${number}`);
  const port = (number: number): number => Number(daemon(number).service.addresses['proxy']?.split(':').at(-1));
  const through = (number: number): NodeJS.ProcessEnv => ({
    ...process.env,
    HTTP_PROXY: `http://127.0.0.1:${port(number)}`,
  });
  const send = (target: string, options?: Ask): Promise<Answer> => ask({ port: port(1) }, target, options);

  /** Ids of finished tasks at the node. */
  async function held(number: number): Promise<string[]> {
    const client = createClient(DfdaemonLocalDefinition, swarm.channels, `unix:${daemon(number).socket}`);
    const { tasks } = await client.listStoredTasks({});
    return tasks.flatMap(({ taskId, state }) => (state === 'finished' ? [taskId] : []));
  }

  async function asOciLayout(image: Image): Promise<string> {
    const plain = await DockerRegistry.start({ directory: directory.join('other'), address: local.address });
    try {
      await pushImage(plain.url, 'from', 'v1', image);
      const target = `oci:${directory.join('layout')}:v1`;
      await run('skopeo', ['copy', '--src-tls-verify=false', `docker://${plain.host}/from:v1`, target]);
      return target;
    } finally {
      await plain[Symbol.asyncDispose]();
    }
  }

  test('skopeo pushes twenty layers through one node; two others pull them, and the registry sends none', async (context) => {
    const image = makeImage({ layers: 20, layerBytes: 200_000 });
    const source = await asOciLayout(image);
    const reference = `docker://${registry.host}/team/app:v1`;
    await run('skopeo', ['copy', '--dest-tls-verify=false', source, reference], { env: through(1) });
    const wanted = image.layers.map(({ digest }) => digest.slice('sha256:'.length));
    await waitFor('all layers to be kept', async () => {
      const ids = new Set(await held(1));
      return wanted.every((id) => ids.has(id));
    });
    let sent = 0;
    for (const peer of [2, 3]) {
      const target = directory.join(`pulled-${peer}`);
      await run('skopeo', ['copy', '--src-tls-verify=false', reference, `oci:${target}:v1`], {
        env: through(peer),
      });
      const names = await readdir(join(target, 'blobs', 'sha256'));
      for (const name of names)
        assert.equal(sha256(await readFile(join(target, 'blobs', 'sha256', name))).slice(7), name);
      for (const id of wanted) assert.ok(names.includes(id));
    }
    for (const { digest } of image.layers) sent += registry.bytesSent(digest);
    context.diagnostic(
      `${sent} bytes of ${20 * 200_000} of the layers came from the registry, to prove what callers may have`,
    );
    assert.ok(sent < 20 * 2 * 1024, `${sent} bytes`);
  });

  test('whole in one PUT, in parts, and streamed: what the registry accepts is kept, anything else is not', async () => {
    const base = `${registry.url}/v2/team/parts/blobs`;
    const begin = async (): Promise<string> =>
      String((await send(`${base}/uploads/`, { method: 'POST', headers: { 'content-length': '0' } })).headers.location);
    const finish = (location: string, digest: string): string =>
      `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`;
    const content = (name: string): Buffer => Buffer.alloc(300_000, name);

    const whole = content('whole');
    const put = { method: 'PUT', headers: octets };
    assert.equal((await send(finish(await begin(), sha256(whole)), { ...put, body: whole })).status, 201);
    const parts = content('parts');
    let location = await begin();
    for (const [first, end] of [
      [0, 100_000],
      [100_000, 300_000],
    ] as const) {
      const headers = { ...octets, 'content-range': `${first}-${end - 1}` };
      const answer = await send(location, { method: 'PATCH', headers, body: parts.subarray(first, end) });
      assert.equal(answer.status, 202);
      location = String(answer.headers.location);
    }
    const empty = { method: 'PUT', headers: { 'content-length': '0' } };
    assert.equal((await send(finish(location, sha256(parts)), empty)).status, 201);
    const streamed = content('streamed');
    const patch = { method: 'PATCH', headers: { ...octets, 'transfer-encoding': 'chunked' } };
    const patched = await send(await begin(), { ...patch, body: streamed });
    assert.equal((await send(finish(String(patched.headers.location), sha256(streamed)), empty)).status, 201);

    const refused = content('refused');
    const wrong = await send(finish(await begin(), sha256(refused)), { ...put, body: content('something else') });
    assert.equal(wrong.status, 400);
    const left = await begin();
    await send(left, { ...patch, body: content('cancelled') });
    await send(left, { method: 'DELETE' });

    const idOf = (bytes: Buffer): string => sha256(bytes).slice(7);
    await waitFor('three to be kept', async () => {
      const ids = await held(1);
      return [whole, parts, streamed].every((bytes) => ids.includes(idOf(bytes)));
    });
    const ids = await held(1);
    for (const name of ['refused', 'something else', 'cancelled']) assert.ok(!ids.includes(idOf(content(name))), name);
  });

  test('the registry is stopped after a push; nine other nodes pull the image by its digest with skopeo', async (context) => {
    const image = makeImage({ layers: 20, layerBytes: 100_000 });
    const source = await asOciLayout(image);
    const reference = `docker://${registry.host}/team/away:v1`;
    const digestFile = directory.join('digest');
    const words = ['copy', '--dest-tls-verify=false', '--digestfile', digestFile, source, reference];
    await run('skopeo', words, { env: through(1) });
    const digest = await readFile(digestFile, 'utf8');
    const named = [image.config.digest, ...image.layers.map((layer) => layer.digest)];
    await waitFor('all of it to be kept', async () => {
      const ids = new Set(await held(1));
      return named.every((each) => ids.has(each.slice('sha256:'.length))) && ids.size > named.length;
    });
    await registry.stop();
    try {
      const bytes = [image.config, ...image.layers].reduce((sum, { content }) => sum + content.length, 0);
      const atOnce = [2, 3, 4, 5, 6, 7, 8, 9, 10].map(async (peer) => {
        const target = directory.join(`away-${peer}`);
        const from = `docker://${registry.host}/team/away@${digest}`;
        await run('skopeo', ['copy', '--src-tls-verify=false', from, `oci:${target}:v1`], { env: through(peer) });
        for (const each of [digest, ...named]) {
          const content = await readFile(join(target, 'blobs', 'sha256', each.slice('sha256:'.length)));
          assert.equal(sha256(content), each);
        }
      });
      await Promise.all(atOnce);
      context.diagnostic(`nine nodes pulled ${named.length} blobs of ${bytes} bytes while the registry was away`);
      for (const peer of [2, 3]) {
        const get = (path: string): Promise<Answer> =>
          ask({ port: port(peer) }, `${registry.url}/v2/team/away/${path}`);
        const manifest = await get(`manifests/${digest}`);
        assert.deepEqual([manifest.status, sha256(manifest.body)], [200, digest]);
        assert.equal(manifest.headers['content-type'], 'application/vnd.oci.image.manifest.v1+json');
        for (const each of named) {
          const blob = await get(`blobs/${each}`);
          assert.deepEqual([blob.status, sha256(blob.body)], [200, each]);
        }
      }
    } finally {
      await registry.restart();
    }
  });

  test('a registry that takes other bytes than it says puts nothing under a name', async () => {
    const { createServer } = await import('node:http');
    const liar = createServer((request, response) => {
      request.resume().once('end', () => response.writeHead(201, { 'content-length': 0 }).end());
    });
    await new Promise<void>((resolve) => liar.listen(0, local.address, resolve));
    try {
      const address = liar.address() as { port: number };
      const victim = Buffer.alloc(1000, 'of somebody else');
      const url = `http://${local.address}:${address.port}/v2/x/blobs/uploads/1?digest=${sha256(victim)}`;
      assert.equal((await send(url, { method: 'PUT', headers: octets, body: Buffer.alloc(1000, 'evil') })).status, 201);
      await writeFile(directory.join('after'), '');
      assert.ok(!(await held(1)).includes(sha256(victim).slice(7)));
      const incoming = await waitFor('the file to be gone', async () => {
        const names = await readdir(swarm.directory.join('node-1/data/incoming'));
        return names.length === 0 ? ['none'] : undefined;
      });
      assert.deepEqual(incoming, ['none']);
    } finally {
      await new Promise((resolve) => liar.close(resolve));
    }
  });
});
