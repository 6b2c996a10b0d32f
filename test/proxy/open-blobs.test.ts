/**
 * What a seed was given as a stranger is everybody's: nodes ask the registry about it for none of their callers, whatever token each
 * has. What the registry gives to some only stays with them.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { ask, serveBody, startOrigin, type Origin } from './support/proxy-fixture.ts';

const names = ['peer-1', 'peer-2', 'peer-3'];

interface Blob {
  readonly path: string;
  readonly content: Buffer;
}

function newBlob(repository: string): Blob {
  const content = randomBytes(5 * 2 ** 20);
  return { content, path: `/v2/${repository}/blobs/sha256:${createHash('sha256').update(content).digest('hex')}` };
}

/** A registry with a token service: `open` is given to anybody who asks for a token, `closed` to users alone. */
function startRegistry(blobs: readonly Blob[]): Promise<Origin> {
  return startOrigin((request, response) => {
    const { url = '', headers } = request;
    const host = `http://${headers.host}`;
    if (url.startsWith('/token')) {
      const token = headers.authorization ? 'user' : 'anybody';
      const body = JSON.stringify({ token });
      return void response.writeHead(200, { 'content-length': body.length }).end(body);
    }
    const blob = blobs.find(({ path }) => path === url);
    const isUser = headers.authorization?.startsWith('Bearer user') === true;
    const isAnybody = headers.authorization === 'Bearer anybody' && url.startsWith('/v2/open/');
    if (blob && (isUser || isAnybody)) return serveBody(blob.content)(request, response);
    const scope = url.split('/')[2] ?? '';
    const challenge = `Bearer realm="${host}/token",service="registry",scope="repository:${scope}/image:pull"`;
    response.writeHead(401, { 'www-authenticate': challenge, 'content-length': 0 }).end();
  });
}

describe('three nodes and a seed with certificates', () => {
  let directory: TemporaryDirectory;
  let cluster: LocalCluster;
  before(async () => {
    directory = await temporaryDirectory('df-open-');
    cluster = await LocalCluster.start({ directory: directory.path, peers: 3 });
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
    await directory[Symbol.asyncDispose]();
  });
  const portOf = (name: string): number => Number(cluster.node(name).process.address('proxy').split(':').at(-1));
  const get = (name: string, url: string, token?: string) =>
    ask({ port: portOf(name) }, url, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });
  /** Requests with a token of somebody's own. */
  const ofUsers = ({ seen }: Origin, path: string) =>
    seen.filter(({ url, headers }) => url === path && (headers.authorization ?? '').startsWith('Bearer user'));

  test('ask about an open blob for no caller, once the seed has it', async () => {
    const blob = newBlob('open/image');
    await using registry = await startRegistry([blob]);
    const url = `${registry.url}${blob.path}`;
    assert.ok((await get('peer-1', url, 'user-1')).body.equals(blob.content));
    const first = ofUsers(registry, blob.path).length;
    // The seed tells when its download has ended, which is after the content is with others.
    await waitFor('the seed’s word', async () => {
      const before = ofUsers(registry, blob.path).length;
      const answer = await get('peer-2', url, `user-2-${before}`);
      assert.ok(answer.body.equals(blob.content));
      return ofUsers(registry, blob.path).length === before;
    });
    const asked = ofUsers(registry, blob.path).length;
    for (const token of ['user-3', 'user-4', undefined])
      assert.ok((await get('peer-3', url, token)).body.equals(blob.content));
    assert.equal(ofUsers(registry, blob.path).length, asked);
    assert.ok(first >= 1);
  });

  test('a blob that the registry gives to some only is opened to nobody else', async () => {
    const blob = newBlob('closed/image');
    await using registry = await startRegistry([blob]);
    const url = `${registry.url}${blob.path}`;
    for (const [index, name] of names.entries()) {
      assert.ok((await get(name, url, `user-${index}`)).body.equals(blob.content));
      assert.equal((await get(name, url)).status, 401);
      assert.equal((await get(name, url, 'nobody')).status, 401);
    }
  });
});
