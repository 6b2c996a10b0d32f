/** NTLM and Negotiate sign in a connection: whose it is, he keeps it, and nobody else's request goes over it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LocalSwarm } from '../../support/local-swarm.ts';
import { startDaemon, type ProxiedDaemon } from '../support/proxy-fixture.ts';
import { rawClient, rawOrigin, type RawClient, type RawOrigin } from '../support/raw-http.ts';

const refusal = 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n';
const challenge = 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM abc\r\nContent-Length: 0\r\n\r\n';
const secret = 'HTTP/1.1 200 OK\r\nETag: "s"\r\nContent-Length: 6\r\n\r\nsecret';

describe('an origin that signs in connections', () => {
  const closers = new AsyncDisposableStack();
  let origin: RawOrigin;
  let nodes: readonly ProxiedDaemon[];
  before(async () => {
    const steps = new WeakMap<object, number>();
    origin = closers.use(
      await rawOrigin(({ head, socket }, whole) => {
        if (!whole) return undefined;
        const said = /\r\nAuthorization: NTLM (\w+)\r\n/i.exec(head)?.[1];
        const step = steps.get(socket) ?? 0;
        if (said === 'one') steps.set(socket, 1);
        if (said === 'three' && step === 1) steps.set(socket, 2);
        if (said === 'one') return challenge;
        return steps.get(socket) === 2 ? secret : refusal;
      }),
    );
    const swarm = closers.use(await LocalSwarm.create());
    const proxy = { proxies: [{ regx: 'rule' }] };
    const schedulers = [await swarm.startScheduler()];
    nodes = [closers.use(await startDaemon({ proxy })), closers.use(await startDaemon({ proxy, schedulers }))];
  });
  after(() => closers.disposeAsync());

  for (const path of ['/plain', '/rule', '/v2/a/manifests/v1', `/v2/a/blobs/sha256:${'0'.repeat(64)}`])
    test(`${path.slice(0, 20)}: the hand-shake succeeds, and opens nothing to others`, async () => {
      for (const node of nodes) {
        const requestOf = (authorization = ''): string =>
          `GET ${origin.url}${path} HTTP/1.1\r\nHost: ${origin.host}\r\n${authorization}\r\n`;
        let sent = 0;
        const statusOf = async (client: RawClient, authorization?: string): Promise<string> => {
          sent += 1;
          client.send(requestOf(authorization));
          const all = await client.until(new RegExp(`(?:HTTP/1\\.1 \\d+[^]*){${sent}}`));
          return [...all.matchAll(/HTTP\/1\.1 (\d+)/g)].at(-1)?.[1] ?? '';
        };
        using alice = await rawClient(node.port);
        assert.equal(await statusOf(alice), '401');
        const stranger = async (): Promise<void> => {
          using client = await rawClient(node.port);
          client.send(requestOf());
          assert.match(await client.until(/\r\n\r\n/), /^HTTP\/1\.1 401 /);
        };
        await stranger();
        assert.equal(await statusOf(alice, 'Authorization: NTLM one\r\n'), '401');
        await stranger();
        assert.equal(await statusOf(alice, 'Authorization: NTLM three\r\n'), '200');
        assert.equal(await statusOf(alice), '200', 'signed in from now on');
        await Promise.all(Array.from({ length: 5 }, stranger));
        alice.socket.destroy();
        await Promise.all(Array.from({ length: 5 }, stranger));
      }
    });
});
