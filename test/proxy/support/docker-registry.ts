/** Debian's docker-registry as the origin: plain, with TLS, with passwords, with tokens; its log counts what it sent. */
import { createHash, createPrivateKey, sign } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { hash } from '@node-rs/bcrypt';
import { issueCertificates, type TestCertificates } from '../../source/certificates.ts';
import { waitFor } from '../../support/wait-for.ts';
import { freePort } from '../../support/free-port.ts';

export interface RegistryOptions {
  /** Existing directory. */
  readonly directory: string;
  readonly address?: string;
  /** A free one by default. */
  readonly port?: number;
  readonly tls?: boolean;
  /** Names its certificate is for besides the address. */
  readonly names?: readonly string[];
  readonly auth?: 'none' | 'basic' | 'token';
  /** Who is told of pushes, and with which secret. */
  readonly notify?: { readonly url: string; readonly secret: string };
}

export const registryUser = { username: 'alice', password: 'wonderland' };

export class DockerRegistry {
  /** `address:port`, as image references name it. */
  readonly host: string;
  readonly url: string;
  /** Authority of the certificate, with TLS. */
  readonly ca: string | undefined;
  readonly #options: RegistryOptions;
  readonly #configPath: string;
  readonly #tokens: TokenServer | undefined;
  #process: ChildProcess | undefined;
  #log = '';

  static async start(options: RegistryOptions): Promise<DockerRegistry> {
    const { directory, address = '127.0.0.1', tls = false, auth = 'none', names = [] } = options;
    await mkdir(directory, { recursive: true });
    const port = options.port ?? (await freePort(address));
    const dnsNames = names.map((value) => ({ type: 'dns', value }) as const);
    const certificates = tls ? await issueCertificates([{ type: 'ip', value: address }, ...dnsNames]) : undefined;
    const tokens = auth === 'token' ? await TokenServer.start(address) : undefined;
    const configPath = join(directory, 'registry.json');
    const registry = new DockerRegistry(options, { host: `${address}:${port}`, certificates, tokens, configPath });
    await writeFile(
      configPath,
      JSON.stringify(await configuration(options, { listen: `${address}:${port}`, certificates, tokens })),
    );
    await registry.restart();
    return registry;
  }

  private constructor(
    options: RegistryOptions,
    place: {
      host: string;
      certificates: TestCertificates | undefined;
      tokens: TokenServer | undefined;
      configPath: string;
    },
  ) {
    this.#options = options;
    this.host = place.host;
    this.url = `${place.certificates ? 'https' : 'http'}://${place.host}`;
    this.ca = place.certificates?.ca;
    this.#tokens = place.tokens;
    this.#configPath = place.configPath;
  }

  /** Sends with the credentials of the one user, for pushing. */
  readonly request = async (input: string | URL, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (this.#options.auth === 'basic')
      headers.set(
        'authorization',
        `Basic ${Buffer.from(`${registryUser.username}:${registryUser.password}`).toString('base64')}`,
      );
    const name = /\/v2\/(.+)\/(blobs|manifests)\//.exec(input.toString())?.[1] ?? '';
    if (this.#tokens)
      headers.set(
        'authorization',
        `Bearer ${this.#tokens.issue([{ type: 'repository', name, actions: ['pull', 'push'] }])}`,
      );
    return fetch(input, { ...init, headers });
  };

  /**
   * Answered GETs of a blob or manifest, by the digest or tag at the end of their path; without those of a few bytes by which
   * the proxy asks whether a caller may have it.
   */
  gets(reference: string): number {
    return this.#answers(reference).filter((bytes) => bytes > 64).length;
  }

  /** HEADs of it that were answered 401. */
  refusedHeads(reference: string): number {
    const line = new RegExp(`"HEAD \\S*/${reference} \\S+" 401 `);
    return this.#log.split('\n').filter((text) => line.test(text)).length;
  }

  /** Bytes of their bodies, all together. */
  bytesSent(reference: string): number {
    return this.#answers(reference).reduce((sum, bytes) => sum + bytes, 0);
  }

  #answers(reference: string): number[] {
    const lines = this.#log.split('\n').filter((line) => line.includes('"GET ') && line.includes(`/${reference} `));
    return lines
      .flatMap((line) => Number(/" (?:200|206) (\d+) /.exec(line)?.[1] ?? Number.NaN))
      .filter(Number.isInteger);
  }

  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async restart(): Promise<void> {
    await this.stop();
    const child = spawn('docker-registry', ['serve', this.#configPath], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    try {
      await waitFor('the registry to listen', () => {
        if (child.exitCode !== null) throw new Error(`docker-registry ended:\n${this.#log.slice(-2000)}`);
        return accepts(this.host);
      });
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#tokens?.close();
  }
}

async function configuration(
  { directory, auth = 'none', notify }: RegistryOptions,
  place: { listen: string; certificates: TestCertificates | undefined; tokens: TokenServer | undefined },
): Promise<object> {
  const file = async (name: string, content: string): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, content);
    return path;
  };
  const tls = place.certificates && {
    tls: {
      certificate: await file('cert.pem', place.certificates.cert),
      key: await file('key.pem', place.certificates.key),
    },
  };
  const { username, password } = registryUser;
  const basic = auth === 'basic' && {
    auth: {
      htpasswd: {
        realm: 'registry',
        path: await file('htpasswd', `${username}:${(await hash(password, 4)).replace(/^\$2b/, '$2y')}\n`),
      },
    },
  };
  const token = place.tokens && {
    auth: {
      token: {
        realm: place.tokens.url,
        service: 'registry',
        issuer: 'issuer',
        rootcertbundle: await file('token-ca.pem', place.tokens.certificates.ca),
      },
    },
  };
  return {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: join(directory, 'store') }, delete: { enabled: true } },
    http: { addr: place.listen, ...tls },
    ...(notify && { notifications: { endpoints: [endpointOf(notify)] } }),
    ...basic,
    ...token,
  };
}

function endpointOf({ url, secret }: NonNullable<RegistryOptions['notify']>): object {
  const headers = { Authorization: [`Bearer ${secret}`] };
  return { name: 'told', url, headers, timeout: '2s', threshold: 100, backoff: '200ms' };
}

/** Issues tokens as the registry's token specification says, to one user with a password; to others for nothing. */
class TokenServer {
  readonly url: string;
  readonly certificates: TestCertificates;
  readonly #server: Server;

  static async start(address: string): Promise<TokenServer> {
    const certificates = await issueCertificates([{ type: 'ip', value: address }]);
    const server = createHttpServer((request, response) => {
      void formOf(request).then((form) => {
        const known = isKnown(request.headers.authorization, form);
        if (known === false) return void response.writeHead(401).end();
        const token = tokens.issue(
          known
            ? form
                .getAll('scope')
                .flatMap((scope) => scope.split(' '))
                .map(accessOf)
            : [],
        );
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ token, access_token: token, expires_in: 300 }));
      });
    });
    server.listen(0, address);
    await once(server, 'listening');
    const tokens = new TokenServer(
      server,
      certificates,
      `http://${address}:${(server.address() as AddressInfo).port}/token`,
    );
    return tokens;
  }

  private constructor(server: Server, certificates: TestCertificates, url: string) {
    this.#server = server;
    this.certificates = certificates;
    this.url = url;
  }

  issue(access: readonly object[]): string {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const der = this.certificates.cert.replace(/-----[^-]+-----|\s/g, '');
    const head = part({ typ: 'JWT', alg: 'ES256', x5c: [der] });
    const claims = part({
      iss: 'issuer',
      sub: 'alice',
      aud: 'registry',
      exp: now + 300,
      nbf: now - 10,
      iat: now,
      jti: createHash('sha256').update(String(now)).digest('hex'),
      access,
    });
    const key = createPrivateKey(this.certificates.key);
    const signature = sign('sha256', Buffer.from(`${head}.${claims}`), { key, dsaEncoding: 'ieee-p1363' });
    return `${head}.${claims}.${signature.toString('base64url')}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Parameters of the query (GET) and of the body (OAuth2, POST). */
async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  const form = new URL(request.url ?? '', 'http://x').searchParams;
  let body = '';
  for await (const part of request.setEncoding('utf8')) body += part as string;
  for (const [name, value] of new URLSearchParams(body)) form.append(name, value);
  return form;
}

/** Undefined without credentials, false with wrong ones. */
function isKnown(authorization: string | undefined, form: URLSearchParams): boolean | undefined {
  const { username, password } = registryUser;
  if (form.has('password')) return form.get('username') === username && form.get('password') === password;
  if (authorization === undefined) return undefined;
  return authorization === `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function accessOf(scope: string): object {
  const [type = '', name = '', actions = ''] = scope.split(':');
  return { type, name, actions: actions.split(',') };
}

function accepts(host: string): Promise<boolean> {
  const { hostname, port } = new URL(`http://${host}`);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.once('connect', () => socket.destroy()).once('close', (failed) => resolve(!failed));
    socket.on('error', () => undefined);
  });
}
