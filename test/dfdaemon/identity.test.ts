/** What one user asks for decides nothing for another: not the bytes, not the answer, not what stays in the store. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { canonicalUrl, taskId } from '../../src/core/ids.ts';
import { textForUrl } from '../../src/core/task-name.ts';
import { createClient } from '../../src/rpc/client.ts';
import { AnnounceHostRequest, AnnouncePeerRequest, SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { waitFor } from '../support/wait-for.ts';

const plain = randomBytes(5_000_000);
const other = randomBytes(5_000_000);

describe('identity of a task', { timeout: 120_000 }, () => {
  let swarm: LocalSwarm;
  let server: Server;
  let near: Daemon;
  let far: Daemon;
  let count = 0;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  const asked: IncomingMessage[] = [];

  before(async () => {
    swarm = await LocalSwarm.create();
    await swarm.startScheduler();
    await swarm.startDaemon('seed', { seed: true });
    near = await swarm.startDaemon('near');
    far = await swarm.startDaemon('far');
    server = createServer((request, response) => {
      asked.push(request);
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(async () => {
    await swarm[Symbol.asyncDispose]();
    server.closeAllConnections();
    server.close();
  });

  const address = (path: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const bring = async (daemon: Daemon, download: Parameters<LocalSwarm['download']>[1]): Promise<Buffer> => {
    const outputPath = swarm.directory.join(`out-${(count += 1)}`);
    await swarm.download(daemon, { ...download, outputPath });
    return readFileSync(outputPath);
  };
  const send = (response: ServerResponse, body: Buffer): void => {
    response.writeHead(200, { etag: '"1"', 'content-length': body.length }).end(body);
  };

  test("a caller's own filter makes nothing the content of another URL", async () => {
    answer = ({ url }, response) => send(response, url?.includes('versionId') ? other : plain);
    const old = { url: address('/filtered?versionId=old'), filteredQueryParams: ['versionId'] };
    assert.ok((await bring(near, old)).equals(other));
    for (const daemon of [near, far])
      assert.ok((await bring(daemon, { url: address('/filtered') })).equals(plain), daemon.name);
    const requests = asked.length;
    assert.ok((await bring(far, old)).equals(other));
    assert.equal(asked.length, requests, 'who leaves out the same shares');
  });

  test('a tag does not go on with the URL', async () => {
    answer = ({ url }, response) => send(response, url === '/joined' ? other : plain);
    assert.ok((await bring(near, { url: address('/joined'), tag: '?x=1' })).equals(other));
    for (const daemon of [near, far]) assert.ok((await bring(daemon, { url: address('/joined?x=1') })).equals(plain));
    assert.ok((await bring(near, { url: address('/joined'), tag: 'b' })).equals(other));
    for (const daemon of [near, far])
      assert.ok((await bring(daemon, { url: address('/joinedb') })).equals(plain), daemon.name);
  });

  test('a name that somebody has given to one URL makes nothing the content of another', async () => {
    answer = ({ url }, response) => send(response, url === '/named' ? other : plain);
    const contentForCalculatingTaskId = 'release 7';
    assert.ok((await bring(near, { url: address('/named'), contentForCalculatingTaskId })).equals(other));
    const mine = { url: address('/named-mine'), contentForCalculatingTaskId };
    for (const daemon of [far, near]) assert.ok((await bring(daemon, mine)).equals(plain), daemon.name);
    const requests = asked.length;
    const third = await swarm.startDaemon('third');
    assert.ok((await bring(third, mine)).equals(plain));
    assert.equal(asked.length, requests, 'those who ask for the same share it');
  });

  test('a member that registers its own URL under the id of another is refused', async () => {
    answer = ({ url }, response) => send(response, url === '/evil' ? other : plain);
    const url = address('/victim');
    const host = { id: '127.0.0.1-liar', hostname: 'liar', ip: '127.0.0.1', port: 1, downloadPort: 1, type: 0 };
    const scheduler = createClient(SchedulerDefinition, swarm.channels, swarm.schedulerAddresses[0] ?? '');
    await scheduler.announceHost(AnnounceHostRequest.fromPartial({ host }));
    const texts = [`${canonicalUrl(url, [])}STANDARD`, textForUrl(url, [], 'x')];
    for (const contentForCalculatingTaskId of texts) {
      const id = taskId({ url, contentForCalculatingTaskId });
      const download = { url: address('/evil'), contentForCalculatingTaskId };
      const message = AnnouncePeerRequest.fromPartial({
        hostId: host.id,
        taskId: id,
        peerId: `${host.id}-peer`,
        request: { $case: 'registerPeerRequest', value: { download } },
      });
      const answers = scheduler.announcePeer(ReadableStream.from([message]));
      await assert.rejects(answers[Symbol.asyncIterator]().next(), { code: 'PERMISSION_DENIED' });
    }
    assert.ok((await bring(far, { url })).equals(plain));
  });

  test('a text to compute the id from is not the id of a URL', async () => {
    answer = ({ url }, response) => send(response, url === '/forged' ? other : plain);
    const contentForCalculatingTaskId = `${address('/text')}STANDARD`;
    assert.ok((await bring(near, { url: address('/forged'), contentForCalculatingTaskId })).equals(other));
    for (const daemon of [near, far]) assert.ok((await bring(daemon, { url: address('/text') })).equals(plain));
  });

  test('an object of another store is another object, on every node', async () => {
    answer = (_request, response) => send(response, other);
    const elsewhere = createServer((_request, response) => send(response, plain));
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const url = 's3://models/weights.bin';
    const at = (port: number) => ({ url, objectStorage: { endpoint: `http://127.0.0.1:${port}`, region: 'r' } });
    assert.ok((await bring(near, at((server.address() as AddressInfo).port))).equals(other));
    for (const daemon of [near, far])
      assert.ok((await bring(daemon, at((elsewhere.address() as AddressInfo).port))).equals(plain), daemon.name);
    elsewhere.closeAllConnections();
    elsewhere.close();
  });

  test('headers that change the answer make another task, on every node, and who sends the same shares', async () => {
    answer = ({ headers }, response) => send(response, headers['x-tenant'] === 'a' ? other : plain);
    const tenant = (name: string) => ({ url: address('/tenant'), requestHeader: { 'X-Tenant': name } });
    assert.ok((await bring(near, tenant('a'))).equals(other));
    for (const daemon of [near, far]) assert.ok((await bring(daemon, tenant('b'))).equals(plain));
    const requests = asked.length;
    assert.ok((await bring(far, tenant('a'))).equals(other));
    assert.equal(asked.length, requests);
  });

  test('content got with credentials is not given to who has none', async () => {
    answer = ({ headers }, response) =>
      headers.authorization === 'Bearer right' ? send(response, plain) : response.writeHead(401).end();
    const url = address('/guarded');
    const right = { url, requestHeader: { Authorization: 'Bearer right' } };
    assert.ok((await bring(near, right)).equals(plain));
    for (const daemon of [near, far]) {
      for (const requestHeader of [{}, { Authorization: 'Bearer wrong' }])
        await assert.rejects(bring(daemon, { url, requestHeader }), { code: 'SOURCE_STATUS' });
    }
    assert.ok((await bring(far, right)).equals(plain));
  });

  test('who has no right fails alone: who has it, on the same node and on others, is not told that answer', async () => {
    for (const path of ['/own', `/v2/x/blobs/sha256:${createHash('sha256').update(plain).digest('hex')}`]) {
      const refusals: (() => void)[] = [];
      answer = ({ headers }, response) => {
        if (headers.authorization === 'Bearer right') send(response, plain);
        else refusals.push(() => response.writeHead(403).end());
      };
      const ask = (daemon: Daemon, token: string): Promise<Buffer> =>
        bring(daemon, { url: address(path), requestHeader: { Authorization: `Bearer ${token}` } });
      const strangers = [near, far].map((daemon) => assert.rejects(ask(daemon, 'wrong')));
      await waitFor('the strangers at the origin', () => refusals.length > 0);
      const righteous = [near, far].map((daemon) => ask(daemon, 'right'));
      let over = false;
      const settled = Promise.allSettled([...strangers, ...righteous]).then((results) => {
        over = true;
        return results;
      });
      await waitFor('all answers', () => {
        for (const refuse of refusals.splice(0)) refuse();
        return over;
      });
      const failures = (await settled).flatMap((result) =>
        result.status === 'rejected' ? [String(result.reason)] : [],
      );
      assert.deepEqual(failures, [], path);
    }
  });
});
