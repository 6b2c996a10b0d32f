// needs: nginx
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { NginxOrigin } from '../support/nginx-origin.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { bytesOf, rejects, sourceConformance } from './conformance.ts';

const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` };
const missing = spawnSync('nginx', ['-v'], { env }).error ? 'nginx is not installed' : undefined;

sourceConformance('http, nginx', {
  skip: missing,
  open: async () => {
    const directory = await temporaryDirectory();
    const nginx = await NginxOrigin.start({ directory: directory.path });
    const sources = new Sources({ logger: silentLogger });
    return {
      sources,
      options: { header: {} },
      put: async (name, content) => {
        await writeFile(join(nginx.root, name), content);
        return `${nginx.url}/${name}`;
      },
      close: async () => {
        await sources[Symbol.asyncDispose]();
        await nginx[Symbol.asyncDispose]();
        await directory[Symbol.asyncDispose]();
      },
    };
  },
});

describe('http, nginx with restrictions', { skip: missing ?? false }, () => {
  it('reads from origins without ranges, without length, behind a redirect, and with a rate limit', async (t) => {
    await using directory = await temporaryDirectory();
    await using nginx = await NginxOrigin.start({ directory: directory.path });
    await using sources = new Sources({ logger: silentLogger });
    const content = randomBytes(2_000_000);
    await writeFile(join(nginx.root, 'file'), content);
    const range = { start: 500_000, length: 1000 };
    for (const [path, expected] of [
      ['norange/file', { ranges: false, startBytes: 0, lengthBytes: content.length }],
      ['chunked/file', { ranges: false, startBytes: 0, lengthBytes: undefined }],
      ['redirect/file', { ranges: true, startBytes: 500_000, lengthBytes: 1000 }],
      ['slow/file', { ranges: true, startBytes: 500_000, lengthBytes: 1000 }],
    ] as const) {
      const body = await sources.open({ url: `${nginx.url}/${path}`, header: {}, range, signal: t.signal });
      const { ranges, startBytes, lengthBytes } = body;
      assert.deepEqual({ ranges, startBytes, lengthBytes }, expected, path);
      const wanted = ranges ? content.subarray(range.start, range.start + range.length) : content;
      assert.ok((await bytesOf(body)).equals(wanted), path);
    }
  });

  it('passes every refusal on with its status', async (t) => {
    await using directory = await temporaryDirectory();
    await using nginx = await NginxOrigin.start({ directory: directory.path });
    await using sources = new Sources({ logger: silentLogger });
    for (const status of [403, 404, 410, 503]) {
      const work = sources.open({ url: `${nginx.url}/status/${status}`, header: {}, signal: t.signal });
      assert.equal((await rejects(work, 'SOURCE_STATUS')).details?.statusCode, status);
    }
    await assert.rejects(sources.open({ url: `${nginx.url}/drop`, header: {}, signal: t.signal }), {
      code: 'SOURCE_UNREACHABLE',
    });
  });
});
