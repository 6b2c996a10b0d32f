/** Serves the console at `/`, if it was built; its client-side routes get the page. */
import type { FastifyRequest } from 'fastify';
import { filesBelow, ownFiles, type Files } from '../../core/own-files.ts';
import type { ManagerConfig } from '../config.ts';
import type { RestApp } from './request.ts';
import { serveFiles } from './serve-files.ts';

/** Scripts from this origin only; inline styles are needed by the component library. */
const contentSecurityPolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'";

export async function serveConsole(app: RestApp, { server }: ManagerConfig): Promise<void> {
  const files = server.rest.consoleDir === undefined ? ownFiles('console/dist') : filesBelow(server.rest.consoleDir);
  const prefix = `${server.rest.prefix.replace(/\/+$/, '')}/`;
  const page = pageOf(files, prefix);
  if (page !== undefined) {
    const isAsset = (path: string): boolean => path.startsWith('assets/');
    const others = (path: string): boolean => !isAsset(path) && !path.endsWith('.html');
    await app.register(serveFiles, { prefix, files: only(files, isAsset), immutable: true });
    await app.register(serveFiles, { prefix, files: only(files, others) });
  }
  app.setNotFoundHandler((request, reply) => {
    if (page === undefined || !isPageRequest(request, prefix)) return reply.code(404).send({ message: 'not found' });
    return reply
      .header('cache-control', 'no-cache')
      .header('content-security-policy', contentSecurityPolicy)
      .type('text/html; charset=utf-8')
      .send(page);
  });
}

/** The page with the path prefix; undefined when the console was not built. */
function pageOf(files: Files, prefix: string): string | undefined {
  const page = files.get('index.html');
  return page && Buffer.from(page).toString('utf8').replace('<base href="/"', `<base href="${prefix}"`);
}

function only(files: Files, wanted: (path: string) => boolean): Files {
  return new Map([...files].filter(([path]) => wanted(path)));
}

function isPageRequest(request: FastifyRequest, prefix: string): boolean {
  const path = request.url.split('?', 1)[0] ?? '';
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  if (/^\/(o?api\/|swagger)/.test(path) || !`${path}/`.startsWith(prefix)) return false;
  // A missing script must give an error: the page in its place would only confuse.
  return !/\.[a-z0-9]+$/i.test(path);
}
