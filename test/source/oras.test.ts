// needs: docker-registry
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { hash } from '@node-rs/bcrypt';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { bytesOf, rejects, sha256, sourceConformance, type Origin } from './conformance.ts';
import { ok, OddServer } from './odd-server.ts';
import { freePort } from '../support/free-port.ts';

const missing = spawnSync('docker-registry', ['--version']).error ? 'docker-registry is not installed' : undefined;

const basic = (user: string): { header: Record<string, string> } => ({
  header: { Authorization: `Basic ${Buffer.from(user).toString('base64')}` },
});

/** A real registry that wants user and password. */
async function startRegistry(): Promise<Origin> {
  const directory = await temporaryDirectory();
  const port = await freePort();
  await writeFile(directory.join('htpasswd'), `user:${await hash('secret', 4)}\n`);
  await writeFile(
    directory.join('config.yml'),
    JSON.stringify({
      version: '0.1',
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: directory.join('registry') } },
      http: { addr: `127.0.0.1:${port}` },
      auth: { htpasswd: { realm: 'test', path: directory.join('htpasswd') } },
    }),
  );
  const child = spawn('docker-registry', ['serve', directory.join('config.yml')], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const base = `http://127.0.0.1:${port}/v2`;
  const headers = { Authorization: basic('user:secret').header['Authorization'] ?? '' };
  const call = async (
    method: string,
    url: string,
    body?: Uint8Array<ArrayBuffer> | string,
    type?: string,
  ): Promise<Response> => {
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(type !== undefined && { 'content-type': type }) },
      body: body ?? null,
      signal: AbortSignal.timeout(120_000),
    });
    assert.ok(response.ok, `${method} ${url}: ${response.status}`);
    return response;
  };
  await waitFor('the registry', async () => (await fetch(`${base}/`)).status === 401);
  const pushBlob = async (content: Uint8Array<ArrayBuffer>): Promise<{ digest: string; size: number }> => {
    const upload = await call('POST', `${base}/files/blobs/uploads/`);
    const location = new URL(upload.headers.get('location') ?? '', base);
    const digest = `sha256:${sha256(content)}`;
    location.searchParams.set('digest', digest);
    await call('PUT', location.href, content, 'application/octet-stream');
    return { digest, size: content.length };
  };
  const sources = new Sources({ logger: silentLogger });
  return {
    sources,
    options: basic('user:secret'),
    badOptions: basic('user:wrong'),
    put: async (name, content) => {
      const type = 'application/vnd.oci.image.manifest.v1+json';
      const config = { ...(await pushBlob(Buffer.from('{}'))), mediaType: 'application/vnd.unknown.config.v1+json' };
      const layer = { ...(await pushBlob(new Uint8Array(content))), mediaType: 'application/octet-stream' };
      const manifest = JSON.stringify({ schemaVersion: 2, mediaType: type, config, layers: [layer] });
      await call('PUT', `${base}/files/manifests/${name}`, manifest, type);
      return `oras://127.0.0.1:${port}/files:${name}`;
    },
    close: async () => {
      await sources[Symbol.asyncDispose]();
      child.kill('SIGTERM');
      await exited;
      await directory[Symbol.asyncDispose]();
    },
  };
}

sourceConformance('oras, docker-registry', { skip: missing, credentials: true, open: startRegistry });

describe('oras', () => {
  const layer = `sha256:${sha256(Buffer.from('content'))}`;
  const manifest = (layers: readonly string[]): string =>
    JSON.stringify({ layers: layers.map((digest) => ({ digest })) });

  it('fetches a token where the registry says, with the login, and uses it again', async (t) => {
    await using registry = await OddServer.start(({ path, header }) => {
      if (path.startsWith('/token')) return header['authorization'] === 'Basic dTpw' ? ok('{"token":"t1"}') : ok('{}');
      if (header['authorization'] !== 'Bearer t1') {
        return `HTTP/1.1 401 U\r\nWWW-Authenticate: Bearer realm="${registry.url}/token",service="s"\r\nContent-Length: 0\r\n\r\n`;
      }
      return ok(path.includes('/blobs/') ? 'content' : manifest([layer]));
    });
    await using sources = new Sources({ logger: silentLogger });
    const url = `oras://u:p@127.0.0.1:${registry.port}/a/b:v1`;
    for (let round = 0; round < 2; round += 1) {
      const body = await sources.open({ url, header: {}, signal: t.signal });
      assert.equal((await bytesOf(body)).toString(), 'content');
    }
    const tokens = registry.requests.filter(({ path }) => path.startsWith('/token'));
    assert.deepEqual(
      tokens.map(({ path }) => path),
      ['/token?service=s&scope=repository%3Aa%2Fb%3Apull'],
    );
  });

  it('takes artifacts of one layer only, and explains names it cannot read', async (t) => {
    await using registry = await OddServer.start(() => ok(manifest([layer, layer])));
    await using sources = new Sources({ logger: silentLogger });
    const open = (url: string) => sources.open({ url, header: {}, signal: t.signal });
    assert.match((await rejects(open(`oras://127.0.0.1:${registry.port}/a:v1`), 'UNSUPPORTED')).message, /2 layers/);
    await rejects(open('oras://127.0.0.1/UPPER:v1'), 'INVALID_ARGUMENT');
  });
});
