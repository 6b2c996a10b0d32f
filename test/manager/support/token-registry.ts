/** A real registry that wants tokens, and the service that gives them out, as large registries are set up. */
import { execFile, spawn } from 'node:child_process';
import { createHash, createPrivateKey, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SignJWT } from 'jose';
import { freePort } from '../../support/free-port.ts';
import { eventually } from './engines.ts';

const run = promisify(execFile);
const service = 'registry.test';

export const registryLogin = { username: 'puller', password: 'pull-secret' };

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface PushedImage {
  /** URL of the index, by tag. */
  readonly url: string;
  /** Blob URLs by platform. */
  readonly blobs: Readonly<Record<string, readonly string[]>>;
}

export class TokenRegistry implements AsyncDisposable {
  /** Tokens given out. */
  tokens = 0;
  /** Seconds a token lives. */
  tokenLifeSeconds = 300;
  readonly #directory: string;
  readonly #tokenServer: Server;
  #key: KeyObject | undefined;
  #certificate: X509Certificate | undefined;
  #port = 0;
  #stop: (() => Promise<void>) | undefined;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#tokenServer = createServer((request, response) => {
      const expected = `Basic ${Buffer.from(`${registryLogin.username}:${registryLogin.password}`).toString('base64')}`;
      if (request.headers.authorization !== expected) {
        response.writeHead(401).end();
        return;
      }
      const scope = new URL(request.url ?? '/', 'http://x').searchParams.get('scope') ?? '';
      this.#token(scope, ['pull']).then(
        (token) =>
          response
            .writeHead(200, { 'content-type': 'application/json' })
            .end(JSON.stringify({ token, expires_in: this.tokenLifeSeconds })),
        () => response.writeHead(500).end(),
      );
    });
  }

  static async start(): Promise<TokenRegistry> {
    const registry = new TokenRegistry(await mkdtemp(join(tmpdir(), 'manager-registry-')));
    await registry.#start();
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** As a service that pushes to this registry has one, to hand on to who pulls for it. */
  pullToken(name: string): Promise<string> {
    return this.#token(`repository:${name}:pull`, ['pull']);
  }

  /** Nothing answers any more; what was pushed is lost to who asks here. */
  async stopServing(): Promise<void> {
    await this.#stop?.();
    this.#stop = undefined;
  }

  /** An index over images for these platforms, each with layers of the sizes. */
  async push(name: string, platforms: readonly string[], layerSizes: readonly number[]): Promise<PushedImage> {
    const token = await this.#token(`repository:${name}:pull,push`, ['pull', 'push']);
    const blobs: Record<string, string[]> = {};
    const manifests: (Descriptor & { platform: object })[] = [];
    for (const platform of platforms) {
      const [os, architecture] = platform.split('/');
      const config = await this.#pushBlob(
        name,
        Buffer.from(JSON.stringify({ os, architecture, id: randomBytes(8).toString('hex') })),
        token,
        'application/vnd.oci.image.config.v1+json',
      );
      const layers: Descriptor[] = [];
      for (const size of layerSizes)
        layers.push(await this.#pushBlob(name, randomBytes(size), token, 'application/vnd.oci.image.layer.v1.tar'));
      const manifest = await this.#pushManifest(
        name,
        undefined,
        { schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers },
        token,
      );
      manifests.push({ ...manifest, platform: { os, architecture } });
      blobs[platform] = [config, ...layers].map(({ digest }) => `${this.url}/v2/${name}/blobs/${digest}`);
    }
    await this.#pushManifest(
      name,
      'latest',
      { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests },
      token,
    );
    return { url: `${this.url}/v2/${name}/manifests/latest`, blobs };
  }

  async #start(): Promise<void> {
    const path = (file: string): string => join(this.#directory, file);
    await run('openssl', [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=tokens',
      '-days',
      '2',
      '-keyout',
      path('key.pem'),
      '-out',
      path('cert.pem'),
    ]);
    this.#key = createPrivateKey(await readFile(path('key.pem')));
    this.#certificate = new X509Certificate(await readFile(path('cert.pem')));
    await new Promise<void>((resolve) => this.#tokenServer.listen(0, '127.0.0.1', resolve));
    const { port: tokenPort } = this.#tokenServer.address() as AddressInfo;
    this.#port = await freePort();
    const config = {
      version: 0.1,
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: path('data') } },
      http: { addr: `127.0.0.1:${this.#port}` },
      auth: {
        token: {
          realm: `http://127.0.0.1:${tokenPort}/token`,
          service,
          issuer: 'issuer',
          rootcertbundle: path('cert.pem'),
        },
      },
    };
    await writeFile(path('config.yml'), JSON.stringify(config));
    const child = spawn('docker-registry', ['serve', path('config.yml')], { stdio: 'ignore' });
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.#stop = async () => {
      child.kill('SIGKILL');
      await exited;
    };
    await eventually(async () => fetch(`${this.url}/v2/`), 20_000);
  }

  async #token(scope: string, actions: readonly string[]): Promise<string> {
    this.tokens += 1;
    const [type, name] = scope.split(':');
    const now = Math.floor(Date.now() / 1000);
    const x5c = [this.#certificate?.raw.toString('base64') ?? ''];
    return new SignJWT({ access: [{ type, name, actions }] })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', x5c })
      .setIssuer('issuer')
      .setSubject('x')
      .setAudience(service)
      .setIssuedAt(now)
      .setNotBefore(now - 10)
      .setExpirationTime(now + this.tokenLifeSeconds)
      .setJti(randomBytes(8).toString('hex'))
      .sign(this.#key as KeyObject);
  }

  async #pushBlob(name: string, content: Buffer, token: string, mediaType: string): Promise<Descriptor> {
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    const authorization = `Bearer ${token}`;
    const begun = await fetch(`${this.url}/v2/${name}/blobs/uploads/`, { method: 'POST', headers: { authorization } });
    const location = new URL(begun.headers.get('location') ?? '', this.url);
    location.searchParams.set('digest', digest);
    const done = await fetch(location, {
      method: 'PUT',
      body: content,
      headers: { authorization, 'content-type': 'application/octet-stream' },
    });
    if (done.status !== 201) throw new Error(`pushing a blob: ${done.status} ${await done.text()}`);
    return { mediaType, digest, size: content.length };
  }

  async #pushManifest(
    name: string,
    tag: string | undefined,
    manifest: { mediaType: string; [key: string]: unknown },
    token: string,
  ): Promise<Descriptor> {
    const body = JSON.stringify(manifest);
    const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
    const done = await fetch(`${this.url}/v2/${name}/manifests/${tag ?? digest}`, {
      method: 'PUT',
      body,
      headers: { authorization: `Bearer ${token}`, 'content-type': manifest.mediaType },
    });
    if (done.status !== 201) throw new Error(`pushing a manifest: ${done.status} ${await done.text()}`);
    return { mediaType: manifest.mediaType, digest, size: body.length };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopServing();
    this.#tokenServer.closeAllConnections();
    await new Promise((resolve) => this.#tokenServer.close(resolve));
    await rm(this.#directory, { recursive: true, force: true });
  }
}
