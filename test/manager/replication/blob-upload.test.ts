/** One blob to a target that fails in every way the protocol has. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { ServerResponse } from 'node:http';
import { RateLimiter } from '../../../src/core/rate-limiter.ts';
import { copyBlob, type BlobCopy } from '../../../src/manager/replication/blob-upload.ts';
import { RegistryPause } from '../../../src/manager/replication/registry-pause.ts';
import { RegistryRepository } from '../../../src/manager/replication/registry-repository.ts';
import { RuleBlobs } from '../../../src/manager/replication/rule-blobs.ts';
import { Egress } from '../../../src/rpc/registry/egress.ts';
import { RegistryClient } from '../../../src/rpc/registry/registry-client.ts';
import { eventually } from '../support/engines.ts';
import { ScriptedRegistry } from './scripted-registry.ts';

const content = randomBytes(2_000_000);
const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
const login = { username: 'me', password: 'secret' };

describe('a blob on its way', () => {
  let source: ScriptedRegistry;
  let target: ScriptedRegistry;
  let client: RegistryClient;
  beforeEach(async () => {
    source = await ScriptedRegistry.start();
    target = await ScriptedRegistry.start();
    source.blobs.set(digest, content);
    client = new RegistryClient({
      egress: new Egress({ allow: ['127.0.0.0/8'], deny: [], ownPorts: () => new Set() }),
      timeoutMs: 10_000,
      insecure: () => false,
    });
  });
  afterEach(async () => {
    for (const each of [client, source, target]) await each[Symbol.asyncDispose]();
  });

  const repository = (registry: ScriptedRegistry, name: string): RegistryRepository =>
    new RegistryRepository(client, { registry: `http://${registry.host}`, name }, { login, actions: 'pull,push' });
  const blobCopy = (more: Partial<BlobCopy> = {}): BlobCopy => ({
    source: repository(source, 'team/app'),
    target: repository(target, 'mirror/app'),
    blob: { digest, sizeBytes: content.length },
    rate: new RateLimiter(Infinity),
    signal: AbortSignal.timeout(30_000),
    ...more,
  });
  /** Ends the connection when the target has so much of the upload that runs. */
  const breakAt = (bytes: number): boolean => {
    const [last] = [...target.uploads.values()].slice(-1);
    return (last?.length ?? 0) >= bytes;
  };

  test('a target that forgets its uploads again and again is given up', async () => {
    let patches = 0;
    target.script = (request) => {
      if (request.method !== 'PATCH') return false;
      patches += 1;
      // Half of it arrives; what is sent next finds the upload gone.
      if (patches % 2 === 0) target.uploads.clear();
      else request.on('data', () => breakAt(1_000_000) && request.socket.destroy());
      return false;
    };
    await assert.rejects(copyBlob(blobCopy()), { code: /SOURCE_STATUS|SOURCE_UNREACHABLE/ });
    assert.ok(patches >= 3 && patches <= 8, `${patches} tries`);
  });

  test('what breaks later each time goes on, whatever the number of breaks', async () => {
    target.script = (request) => {
      const before = [...target.uploads.values()].at(-1)?.length ?? 0;
      if (request.method === 'PATCH') request.on('data', () => breakAt(before + 200_000) && request.socket.destroy());
      return false;
    };
    await copyBlob(blobCopy());
    assert.ok(target.count('PATCH', '/uploads/') > 4, 'more often than one may fail at the same place');
    assert.equal(target.count('POST', '/uploads/'), 1);
    assert.ok(target.blobs.get(digest)?.equals(content));
  });

  test('where the last answer is lost, the blob that is there is not sent again', async () => {
    target.losesLastAnswer = true;
    assert.equal(await copyBlob(blobCopy()), content.length);
    assert.deepEqual([target.count('POST', ''), target.count('PATCH', ''), target.count('PUT', '')], [1, 1, 1]);
  });

  test('what the source refuses is final', async () => {
    source.blobs.clear();
    await assert.rejects(copyBlob(blobCopy()), { code: 'SOURCE_STATUS', message: new RegExp(source.host) });
    assert.deepEqual([source.asked.length, target.count('POST', '')], [1, 1]);
  });

  test('so is a target that has no room; one that asks for patience is left alone', async () => {
    const answers: ((response: ServerResponse) => void)[] = [
      (response) => response.writeHead(403).end('{"errors":[{"code":"DENIED","message":"quota exceeded"}]}'),
      (response) => response.writeHead(429, { 'retry-after': '77' }).end(),
    ];
    const asked: number[] = [];
    for (const answer of answers) {
      target.asked.length = 0;
      target.script = (request, response) => {
        if (request.method !== 'PATCH') return false;
        request.resume().on('end', () => answer(response));
        return true;
      };
      await assert.rejects(copyBlob(blobCopy()), (error: Error) => {
        if (error instanceof RegistryPause) assert.equal(error.retryAfterMs, 77_000);
        else assert.match(error.message, /403.*: DENIED, quota exceeded$/);
        return true;
      });
      asked.push(target.count('PATCH', ''));
      assert.equal(target.uploads.size, 0, 'what was begun takes no room there');
    }
    assert.deepEqual(asked, [1, 1]);
  });

  test('a source without ranges sends all of it, of which the rest goes on', async () => {
    source.ranges = false;
    let patches = 0;
    target.script = (request) => {
      if (request.method === 'PATCH' && (patches += 1) === 1)
        request.on('data', () => breakAt(1_000_000) && request.socket.destroy());
      return false;
    };
    const sent = await copyBlob(blobCopy());
    assert.ok(target.blobs.get(digest)?.equals(content));
    assert.ok(sent < 1.6 * content.length, `${sent} bytes`);
    assert.equal(target.count('POST', '/uploads/'), 1);
  });

  test('what a Location says behind its path is said again letter by letter', async () => {
    target.query = '?_state=a%20b~c*%2f+d&sig=x/y';
    await copyBlob(blobCopy());
    const put = target.asked.find((line) => line.startsWith('PUT '));
    assert.ok(put?.endsWith(`${target.query}&digest=${encodeURIComponent(digest)}`), put);
  });

  test('a Location may be relative, or name the registry without TLS; another host gets nothing', async () => {
    const other = await ScriptedRegistry.start();
    try {
      const locationOf = (location: string): void => {
        target.script = (request, response) => {
          if (request.method !== 'POST') return false;
          target.uploads.set('own', Buffer.alloc(0));
          response.writeHead(202, { location }).end();
          return true;
        };
      };
      for (const location of ['own', `http://${target.host}/v2/mirror/app/blobs/uploads/own`]) {
        target.blobs.clear();
        locationOf(location);
        await copyBlob(blobCopy());
      }
      target.blobs.clear();
      locationOf(`http://${other.host}/v2/mirror/app/blobs/uploads/own`);
      await assert.rejects(copyBlob(blobCopy()), { code: 'PROTOCOL' });
      assert.deepEqual(other.asked, []);
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  test('a challenge in the middle is answered, and the upload goes on', async () => {
    let challenged = 0;
    target.script = (request, response) => {
      if (request.method !== 'PATCH' || request.headers.authorization !== undefined) return false;
      challenged += 1;
      request.resume().on('end', () => {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="again"' }).end();
      });
      return true;
    };
    await copyBlob(blobCopy());
    assert.equal(challenged, 1);
    assert.ok(target.blobs.get(digest)?.equals(content));
  });

  test('who waits for the blob of another is not stopped with it, and two send it once', async () => {
    const blobs = new RuleBlobs();
    const stopped = new AbortController();
    target.script = (request) => {
      if (request.method === 'PATCH' && !stopped.signal.aborted) request.once('data', () => stopped.abort());
      return false;
    };
    const first = blobs.copy(blobCopy({ signal: stopped.signal }));
    const others = [blobs.copy(blobCopy()), blobs.copy(blobCopy())];
    await assert.rejects(first);
    await eventually(() => assert.equal(target.count('DELETE', '/uploads/'), 1));
    const bytes = await Promise.all(others);
    assert.ok(target.blobs.get(digest)?.equals(content));
    assert.deepEqual(bytes.filter((count) => count === 0).length, 1, 'one of the two sent it');
  });

  test('what another repository of the target has comes from there, where the target knows and allows that', async () => {
    for (const mounts of ['done', 'refused', 'unknown'] as const) {
      target.mounts = mounts;
      target.asked.length = 0;
      const sent = await copyBlob(blobCopy({ elsewhere: 'mirror/base' }));
      const uploads = [
        target.count('POST', '?mount='),
        target.count('POST', 'uploads/') - 1,
        target.count('PATCH', ''),
      ];
      const expected = { done: [1, 0, 0], refused: [1, 1, 1], unknown: [1, 0, 1] }[mounts];
      assert.deepEqual(uploads, expected, mounts);
      assert.equal(sent, mounts === 'done' ? 0 : content.length);
      target.blobs.clear();
    }
  });

  test('two repositories that push the same blob at once send it once; one that may not says nothing of the other', async () => {
    const to = (name: string): BlobCopy => blobCopy({ target: repository(target, name) });
    let blobs = new RuleBlobs();
    const both = await Promise.all(['mirror/a', 'mirror/b'].map((name) => blobs.copy(to(name))));
    assert.deepEqual(both, [content.length, 0]);
    target.blobs.clear();
    blobs = new RuleBlobs();
    target.script = ({ method, url = '' }, response) => {
      if (method !== 'POST' || !url.includes('/mirror/a/')) return false;
      response.writeHead(403).end();
      return true;
    };
    const [first, second] = await Promise.allSettled(['mirror/a', 'mirror/b'].map((name) => blobs.copy(to(name))));
    assert.deepEqual([first?.status, second?.status], ['rejected', 'fulfilled']);
  });

  test('a login stays with its registry when that sends one elsewhere for a blob', async () => {
    const store = await ScriptedRegistry.start();
    try {
      store.blobs.set(digest, content);
      const seen: (string | undefined)[] = [];
      store.script = (request) => {
        seen.push(request.headers.authorization);
        return false;
      };
      source.script = (request, response) => {
        if (request.headers.authorization === undefined)
          response.writeHead(401, { 'www-authenticate': 'Basic realm="here"' }).end();
        else response.writeHead(307, { location: `http://${store.host}/blobs/${digest}` }).end();
        return true;
      };
      await copyBlob(blobCopy());
      assert.deepEqual(seen, [undefined]);
      store.script = (_request, response) => {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="there"' }).end();
        return true;
      };
      target.blobs.clear();
      store.asked.length = 0;
      await assert.rejects(copyBlob(blobCopy()), { code: 'SOURCE_STATUS' });
      assert.equal(store.asked.length, 1, 'its challenge is not answered');
    } finally {
      await store[Symbol.asyncDispose]();
    }
  });
});
