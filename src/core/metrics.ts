/** One metrics registry per service, so that several services can run in one process, and the endpoint that exports it. */
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { serviceHeader } from './net/no-origin.ts';
import type { Closable } from './process/lifecycle.ts';

export { Counter, exponentialBuckets, Gauge, Histogram, Registry, Summary } from 'prom-client';

export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  if (process.platform === 'linux') watchThreads(registry);
  return registry;
}

/** Process metrics that Prometheus clients in other languages export and this library does not. */
function watchThreads(registry: Registry): void {
  new Gauge({
    name: 'process_threads',
    help: 'Threads of the process.',
    registers: [registry],
    collect() {
      this.set(readdirSync('/proc/self/task').length);
    },
  });
}

/** Handler for a path that returns text; status 200 unless it says otherwise. */
export type TextRoute = () =>
  Promise<{ status?: number; type?: string; body: string }> | { status?: number; type?: string; body: string };

/** The small HTTP server beside a service: `/metrics`, health paths. Answers GET and HEAD only. */
export class StatusServer implements Closable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(
    address: { host: string; port: number },
    routes: Readonly<Record<string, TextRoute>>,
  ): Promise<StatusServer> {
    const server = createServer(
      { headersTimeout: 10_000, requestTimeout: 10_000, maxHeaderSize: 8192 },
      (request, response) => {
        const path = (request.url ?? '').split('?', 1)[0] ?? '';
        const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
        const answer = (status: number, type: string, body: string): void => {
          response.writeHead(status, {
            'content-type': type,
            'content-length': Buffer.byteLength(body),
            [serviceHeader]: 'status',
          });
          response.end(request.method === 'HEAD' ? undefined : body);
        };
        if (!route) return answer(404, 'text/plain', 'not found\n');
        if (request.method !== 'GET' && request.method !== 'HEAD')
          return answer(405, 'text/plain', 'only GET is served here\n');
        Promise.resolve()
          .then(route)
          .then(
            ({ status = 200, type = 'text/plain; charset=utf-8', body }) => answer(status, type, body),
            () => answer(500, 'text/plain', 'internal error\n'),
          );
      },
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(address.port, address.host, resolve);
    });
    return new StatusServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function metricsRoute(registry: Registry): TextRoute {
  return async () => ({ type: registry.contentType, body: await registry.metrics() });
}
