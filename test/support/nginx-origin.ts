/** A real nginx as the origin: its own configuration and document root, and an access log that counts the bytes sent. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from './wait-for.ts';
import { freePort } from './free-port.ts';

export interface NginxOptions {
  /** Existing directory for the configuration, the logs and `www/`, the document root. */
  readonly directory: string;
  readonly address?: string;
  /** Per connection; unlimited by default. */
  readonly rateBytesPerSec?: number;
  /** false: a range is answered with 200 and the whole content. */
  readonly ranges?: boolean;
}

export interface OriginRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Of the body, without header. */
  readonly bytesSent: number;
  /** The whole answer was sent; false when the client left before. */
  readonly complete: boolean;
  /** `Range` of the request, `-` without. */
  readonly range: string;
}

/**
 * Below the document root: `/` as configured, `/slow/` 5 MiB/s, `/norange/` without ranges, `/chunked/` without length,
 * `/index/` and `/index-json/` with pages of its directories, `/redirect/NAME` → `/NAME`, `/status/403`, `/status/404`, `/status/410`, `/status/503`, `/status/connections`, `/drop` closes the connection;
 * `/v2/` with manifests of images, as a registry.
 */
export class NginxOrigin {
  readonly root: string;
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #logPath: string;

  static async start(options: NginxOptions): Promise<NginxOrigin> {
    const { directory, address = '127.0.0.1' } = options;
    const root = join(directory, 'www');
    await mkdir(root, { recursive: true });
    const port = await freePort(address);
    const configPath = join(directory, 'nginx.conf');
    await writeFile(configPath, configuration(options, `${address}:${port}`));
    const args = ['-c', configPath, '-p', directory, '-e', join(directory, 'error.log')];
    // A debian service program: not on the search path of every user.
    const path = `${process.env['PATH'] ?? ''}:/usr/sbin`;
    const child = spawn('nginx', args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: path } });
    const origin = new NginxOrigin(child, root, `http://${address}:${port}`, join(directory, 'access.log'));
    await waitFor('nginx to accept', async () => {
      if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
      const response = await fetch(`${origin.url}/status/404`, { signal: AbortSignal.timeout(2000) });
      await response.arrayBuffer();
      return response.status === 404;
    });
    return origin;
  }

  private constructor(child: ChildProcess, root: string, url: string, logPath: string) {
    this.#process = child;
    this.root = root;
    this.url = url;
    this.#logPath = logPath;
  }

  /** Every GET of that path so far, in the order the answers ended. nginx writes a line when the answer has ended. */
  async requests(path: string): Promise<OriginRequest[]> {
    return (await this.#log()).filter((request) => request.path === path && request.method === 'GET');
  }

  /** Every GET of paths that begin so; listings of directories, which end with a slash, left out. */
  async requestsBelow(directory: string): Promise<OriginRequest[]> {
    const below = ({ path }: OriginRequest): boolean => path.startsWith(directory) && !path.endsWith('/');
    return (await this.#log()).filter((request) => below(request) && request.method === 'GET');
  }

  async #log(): Promise<OriginRequest[]> {
    const lines = (await readFile(this.#logPath, 'utf8')).split('\n').filter(Boolean);
    return lines.map(parseLine);
  }

  /** Resolves when no answer is under way any more; the log is complete then. */
  async settled(): Promise<void> {
    await waitFor('the origin to send nothing any more', async () => {
      const response = await fetch(`${this.url}/status/connections`, { signal: AbortSignal.timeout(10_000) });
      // The one that is being written is the answer to this question.
      return /^Reading: 0 Writing: 1 /m.test(await response.text());
    });
  }

  async bytesSent(path: string): Promise<number> {
    return (await this.requests(path)).reduce((sum, request) => sum + request.bytesSent, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await exited;
  }
}

function parseLine(line: string): OriginRequest {
  const [method = '', path = '', status, bytesSent, completion, ...range] = line.split(' ');
  const complete = completion === '"OK"';
  return { method, path, status: Number(status), bytesSent: Number(bytesSent), complete, range: range.join(' ') };
}

function configuration({ rateBytesPerSec = 0, ranges = true, directory }: NginxOptions, listen: string): string {
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${kind};`);
  return `daemon off; worker_processes 1; pid nginx.pid; ${user}
events { worker_connections 1024; }
http {
  log_format counted '$request_method $uri $status $body_bytes_sent "$request_completion" $http_range';
  access_log ${join(directory, 'access.log')} counted;
  ${temporary.join(' ')}
  sendfile on; etag on; keepalive_timeout 30s;
  server {
    listen ${listen};
    root www;
    location / { limit_rate ${rateBytesPerSec}; ${ranges ? '' : 'max_ranges 0;'} }
    location /slow/ { alias www/; limit_rate 5m; }
    location /index/ { alias www/; autoindex on; }
    location /index-json/ { alias www/; autoindex on; autoindex_format json; }
    location /norange/ { alias www/; max_ranges 0; }
    # Whoever looks for text in a body forgets how long it was.
    location /chunked/ { alias www/; sub_filter "in no content of a test" ""; sub_filter_types *; }
    location ~ ^/redirect/(.*)$ { return 302 /$1; }
    location ~ ^/status/403 { return 403; }
    location ~ ^/status/404 { return 404; }
    location ~ ^/status/410 { return 410; }
    location ~ ^/status/503 { return 503; }
    location = /v2/ { default_type application/json; return 200 '{}'; }
    location ~ ^/v2/.+/manifests/ { default_type application/vnd.oci.image.manifest.v1+json; }
    location = /status/connections { stub_status; access_log off; }
    location /drop { return 444; }
  }
}
`;
}
