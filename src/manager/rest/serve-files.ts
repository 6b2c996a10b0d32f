/** Serves files from memory: a console has few, and an executable has no directory to read them from. */
import { createHash } from 'node:crypto';
import { negotiate } from '@fastify/accept-negotiator';
import type { FastifyInstance } from 'fastify';
import mime from 'mime';
import type { Files } from '../../core/own-files.ts';

interface ServedFiles {
  readonly files: Files;
  /** File names contain a hash of the content. */
  readonly immutable?: boolean;
}

/** Suffixes of compressed copies beside the files. */
const endings: Readonly<Record<string, string>> = { br: '.br', gzip: '.gz' };

/** A plugin of fastify; below the prefix it is registered with. */
export function serveFiles(app: FastifyInstance, { files, immutable }: ServedFiles, done: () => void): void {
  const cacheControl = immutable === true ? 'public, max-age=31536000, immutable' : 'public, max-age=0';
  for (const [path, content] of files) {
    if (Object.values(endings).some((ending) => files.has(path.slice(0, -ending.length)) && path.endsWith(ending)))
      continue;
    const versions: Record<string, Uint8Array> = { ...variants(files, path), identity: content };
    const tag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
    const type = mime.getType(path) ?? 'application/octet-stream';
    const fullType = /^(?:text\/|image\/svg)|javascript|json$/.test(type) ? `${type}; charset=utf-8` : type;
    app.get(`/${path}`, { schema: { hide: true } }, (request, reply) => {
      void reply.headers({ etag: tag, 'cache-control': cacheControl, vary: 'accept-encoding' });
      if (request.headers['if-none-match'] === tag) return reply.code(304).send();
      const accepted = negotiate(request.headers['accept-encoding'] ?? 'identity', Object.keys(versions)) ?? 'identity';
      if (accepted !== 'identity') void reply.header('content-encoding', accepted);
      return reply.type(fullType).send(versions[accepted]);
    });
  }
  done();
}

function variants(files: Files, path: string): Record<string, Uint8Array> {
  const found = Object.entries(endings).map(([encoding, ending]) => [encoding, files.get(path + ending)]);
  return Object.fromEntries(found.filter(([, content]) => content !== undefined)) as Record<string, Uint8Array>;
}
