/** Clients of hubs for models and of stores for large files in git. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serveBody, startOrigin, type Origin } from '../../../test/proxy/support/proxy-fixture.ts';
import { largeFile } from '../../../test/proxy/support/throttled-hub.ts';
import { CountingRelay, type Counter } from './counting-relay.ts';
import { execute, fileBytes, sha256Of, type Client, type ClientLab } from './lab.ts';

export async function hubClients(lab: ClientLab, owned: AsyncDisposableStack): Promise<Client[]> {
  return [huggingFace(lab), await gitLfs(lab, owned)];
}

function huggingFace({ hub, hubDoors }: ClientLab): Client {
  const names = [...hub.repositories.keys()];
  const bytes = hub.repositories.get(names[0] ?? '')?.files.get(largeFile)?.length ?? 0;
  return {
    name: 'huggingface_hub at its door',
    program: 'hf',
    relay: hubCounter(hub),
    bytes,
    doors: hubDoors,
    prepare: async () => {
      const name = names.shift() ?? '';
      const sha256 = sha256Of(hub.repositories.get(name)?.files.get(largeFile) ?? Buffer.alloc(0));
      return async ({ directory: own, env, proxy }) => {
        const settings = { HF_ENDPOINT: proxy || hub.url, HF_HOME: own, HF_HUB_DISABLE_XET: proxy ? '0' : '1' };
        const words = ['download', name, '--local-dir', join(own, 'loaded'), '--quiet'];
        await execute('hf', words, { env: { ...env, ...settings, HF_HUB_DISABLE_TELEMETRY: '1' } });
        return { path: join(own, 'loaded', largeFile), sha256 };
      };
    },
  };
}

/** The hub counts by itself, since the links it gives lead past a relay. */
function hubCounter({ questions, given, stored }: ClientLab['hub']): Counter {
  const total = (counts: ReadonlyMap<string, number>): number =>
    [...counts.values()].reduce((sum, one) => sum + one, 0);
  const now = () => ({ requests: total(questions) + stored.count, bytes: total(given) });
  let last = { requests: 0, bytes: 0 };
  return {
    lines: [],
    take: () => {
      const [before, after] = [last, now()];
      last = after;
      return { requests: after.requests - before.requests, bytes: after.bytes - before.bytes };
    },
  };
}

/** The batch API and the store of the large hosts, at one address: every client gets a signed link of its own. */
async function gitLfs(lab: ClientLab, owned: AsyncDisposableStack): Promise<Client> {
  const objects = new Map<string, Buffer>();
  let address = '';
  const server: Origin = owned.use(
    await startOrigin((request, response) => {
      const oid = /^\/media\/([0-9a-f]{64})\?/.exec(request.url ?? '')?.[1] ?? '';
      const content = objects.get(oid);
      if (content) return serveBody(content, { etag: `"${oid}"` })(request, response);
      let text = '';
      request.on('data', (block: Buffer) => (text += block.toString()));
      request.on('end', () => {
        const asked = JSON.parse(text) as { objects: { oid: string; size: number }[] };
        const answered = asked.objects.map((object) => ({
          ...object,
          actions: { download: { href: link(object.oid) } },
        }));
        response.writeHead(200, { 'content-type': 'application/vnd.git-lfs+json' });
        response.end(JSON.stringify({ transfer: 'basic', objects: answered }));
      });
    }),
  );
  const link = (oid: string): string => {
    const signature = createHash('sha256').update(randomBytes(8)).digest('hex');
    return `${address}/media/${oid}?X-Amz-Date=20261130T000000Z&X-Amz-Expires=600&X-Amz-Signature=${signature}`;
  };
  const relay = owned.use(await CountingRelay.open(lab.address, server.host));
  address = relay.url;
  return {
    name: 'git lfs pull',
    program: 'git-lfs',
    relay,
    bytes: fileBytes,
    prepare: async () => {
      const content = randomBytes(fileBytes);
      const sha256 = sha256Of(content);
      objects.set(sha256, content);
      return async ({ directory: own, env }) => {
        const tree = join(own, 'tree');
        await mkdir(tree);
        const git = (...words: string[]) =>
          execute('git', ['-C', tree, ...words], { env: { ...env, GIT_LFS_SKIP_SMUDGE: '1' } });
        await git('init', '--quiet');
        await git('lfs', 'install', '--local');
        await git('config', 'lfs.url', address);
        await writeFile(join(tree, '.gitattributes'), '*.bin filter=lfs diff=lfs merge=lfs -text\n');
        const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${content.length}\n`;
        await writeFile(join(tree, 'model.bin'), pointer);
        await git('add', '.');
        await git('-c', 'user.name=t', '-c', 'user.email=t@example.test', 'commit', '--quiet', '-m', 'pointers');
        await execute('git', ['-C', tree, 'lfs', 'pull'], { env });
        return { path: join(tree, 'model.bin'), sha256 };
      };
    },
  };
}
