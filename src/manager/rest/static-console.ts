/** The console's files at `/`, when it has been built; paths it makes up itself get its page. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyRequest } from 'fastify';
import type { ManagerConfig } from '../config.ts';
import type { RestApp } from './request.ts';

const shippedConsole = join(import.meta.dirname, '../../../console/dist');

/** Scripts from here only; the pages need inline styles, as their component library writes them. */
const contentSecurityPolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'";

export async function serveConsole(app: RestApp, { server }: ManagerConfig): Promise<void> {
  const root = server.rest.consoleDir ?? shippedConsole;
  const prefix = `${server.rest.prefix.replace(/\/+$/, '')}/`;
  const page = await readPage(root, prefix);
  if (page !== undefined) {
    await app.register(fastifyStatic, {
      root: join(root, 'assets'),
      prefix: `${prefix}assets/`,
      wildcard: false,
      index: false,
      preCompressed: true,
      // The names of these files carry a hash of their content.
      immutable: true,
      maxAge: '365d',
    });
    await app.register(fastifyStatic, {
      root,
      prefix,
      decorateReply: false,
      wildcard: false,
      index: false,
      globIgnore: ['assets/**', '**/*.html'],
    });
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

/** The page with the prefix in it; undefined when the console has not been built. */
async function readPage(root: string, prefix: string): Promise<string | undefined> {
  const file = join(root, 'index.html');
  if (!existsSync(file) || !existsSync(join(root, 'assets'))) return undefined;
  return (await readFile(file, 'utf8')).replace('<base href="/"', `<base href="${prefix}"`);
}

function isPageRequest(request: FastifyRequest, prefix: string): boolean {
  const path = request.url.split('?', 1)[0] ?? '';
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  if (/^\/(o?api\/|swagger)/.test(path) || !`${path}/`.startsWith(prefix)) return false;
  // A missing script must stay missing: a page in its place would only confuse.
  return !/\.[a-z0-9]+$/i.test(path);
}
