/**
 * The name of a zone follows the pods that are well: a real BIND, pods that are listeners on loopback addresses of their own, and an
 * API server that is told of them.
 */
// needs: named
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { describe, test } from 'node:test';
import { sendUpdate } from '../../src/cli/private-zone/dns-server.ts';
import { runPrivateZone } from '../../src/cli/private-zone/private-zone.ts';
import { BindServer, bindKeyName } from '../support/bind-server.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { KubernetesApiServer } from './kubernetes-api.ts';
import { runTool } from './tool-io.ts';

const zone = 'p2p.example.test';
const name = `c1.${zone}`;
const own = 'dragonfly';
const label = 'app.kubernetes.io/component=client';

describe('private-zone', { timeout: 120_000 }, () => {
  test('adds who is ready, takes away who is killed, bound to a number and to nodes', async () => {
    await using bind = await BindServer.start(zone);
    await using api = await KubernetesApiServer.start();
    for (const each of [own, 'tenant']) api.create('namespaces', { metadata: { name: each } });
    const port = await freePort();
    const [one, two, three, web] = await Promise.all(
      ['127.0.10.1', '127.0.10.2', '127.0.10.3', '127.0.10.4'].map((address) => listen(address, port)),
    );
    for (const [node, pool] of Object.entries({ 'node-1': 'p2p', 'node-2': 'web' }))
      api.create('nodes', { metadata: { name: node, labels: { pool } } });
    api.create('pods', { metadata: { name: 'other', namespace: own }, status: { podIP: '127.0.10.9' } });
    for (const [index, address] of ['127.0.10.1', '127.0.10.2'].entries())
      setPod(api, { uid: `pod-${index}`, address, ready: true, node: 'node-1' });
    setPod(api, { uid: 'pod-web', address: '127.0.10.4', ready: true, node: 'node-2' });
    // What somebody might do who wants the clients: the labels in his own namespace, an address elsewhere, no address at all.
    setPod(api, { uid: 'pod-0', address: '127.0.10.4', ready: true, node: 'node-1' }, 'tenant');
    setPod(api, { uid: '0-elsewhere', address: '127.0.0.1', ready: true, node: 'node-1' });
    setPod(api, { uid: '0-none', address: 'nowhere', ready: true, node: 'node-1' });
    const stop = new AbortController();
    const flags = ['--zone', zone, '--name', name, '--server', `127.0.0.1:${bind.port}`, '--key', bind.keyPath];
    const running = runPrivateZone(
      [
        ...flags,
        '--namespace',
        own,
        '--networks',
        '127.0.10.0/24,fd00::/8',
        '--kubernetes',
        api.url,
        '--port',
        String(port),
        '--max',
        '2',
        '--node-selector',
        'pool=p2p',
      ],
      { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: {}, signal: stop.signal },
    );
    const has = (...addresses: string[]): Promise<unknown> =>
      waitFor(`${addresses.join()} at ${name}`, async () => (await bind.addresses(name)).join() === addresses.join());
    await has('127.0.10.1', '127.0.10.2');
    // There is no room for a third one, until a place is free.
    setPod(api, { uid: 'pod-2', address: '127.0.10.3', ready: true, node: 'node-1' });
    // Killed: the API server has heard nothing of it yet.
    one?.close();
    await has('127.0.10.2', '127.0.10.3');
    // Nobody has told of the node of this one.
    setPod(api, { uid: 'pod-lost', address: '127.0.10.5', ready: true, node: 'node-9' });
    setPod(api, { uid: 'pod-1', address: '127.0.10.2', ready: false, node: 'node-1' });
    await has('127.0.10.3');
    // While the API server is away, who dies goes all the same.
    await api[Symbol.asyncDispose]();
    three?.close();
    await has();
    stop.abort();
    assert.equal(await running, 0);
    for (const server of [two, web]) server?.close();
  });

  test('a name has its addresses of both kinds, and loses them, as one change', async () => {
    await using bind = await BindServer.start(zone);
    const server = { host: '127.0.0.1', port: bind.port, key: await keyOf(bind) };
    const signal = new AbortController().signal;
    const records = { zone, name, ttlSeconds: 5 };
    const many = Array.from({ length: 100 }, (_none, index) => `10.0.0.${index + 1}`);
    await sendUpdate(server, { ...records, addresses: [...many, '2001:db8::1', '::ffff:1.2.3.4'] }, signal);
    assert.equal((await bind.addresses(name)).length, 100);
    await sendUpdate(server, { ...records, addresses: [] }, signal);
    assert.deepEqual(await bind.addresses(name), []);
    const refused = async (changed: object): Promise<string> =>
      sendUpdate({ ...server, ...changed }, { ...records, addresses: ['10.0.0.1'] }, signal).then(
        () => 'taken',
        (error: unknown) => (error as Error).message,
      );
    assert.match(await refused({ key: undefined }), /REFUSED/);
    assert.match(await refused({ key: { name: bindKeyName, secret: Buffer.alloc(32) } }), /BADSIG/);
    assert.match(await refused({ key: { name: 'nobody', secret: Buffer.alloc(32) } }), /BADKEY/);
    assert.match(await refused({ port: await freePort() }), /does not answer/);
    await assert.rejects(sendUpdate(server, { ...records, zone: 'other.test', addresses: [] }, signal), /NOTAUTH/);
  });

  test('a mistake is one sentence', async () => {
    await using directory = await temporaryDirectory('df-zone-');
    const key = directory.join('key');
    await writeFile(key, 'nothing');
    const base = ['--zone', zone, '--name', name, '--server', '127.0.0.1', '--kubernetes', 'http://127.0.0.1:1'];
    const message = async (...argv: string[]): Promise<string> =>
      (await runTool(runPrivateZone, argv)).error?.message ?? '';
    assert.match(await message(...base, '--key', key), /holds no TSIG key/);
    assert.match(await message(...base, '--key', '/nonexistent'), /cannot be read/);
    assert.match(await message(...base), /no namespace is named/);
    base.push('--namespace', own);
    assert.match(await message(...base, '--networks', '10.0.0.0'), /"10.0.0.0" is no network/);
    assert.match(await message(...base, '--max', '0'), /"0" does not fit --max/);
    assert.match(await message(...base, '--name', 'elsewhere.test'), /is not in the zone/);
    assert.match(await message(...base.slice(0, 6)), /this is not a pod/);
    assert.match(await message('--zone', zone), /--name/);
  });
});

async function keyOf(bind: BindServer): Promise<{ name: string; secret: Buffer }> {
  const { readFile } = await import('node:fs/promises');
  const [keyName = '', secret = ''] = (await readFile(bind.keyPath, 'utf8')).trim().split(' ');
  return { name: keyName, secret: Buffer.from(secret, 'base64') };
}

async function listen(address: string, port: number): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  server.listen(port, address);
  await once(server, 'listening');
  return server;
}

interface PlayedPod {
  readonly uid: string;
  readonly address: string;
  readonly ready: boolean;
  readonly node: string;
}

function setPod(
  api: KubernetesApiServer,
  { uid: name, address: podIP, ready, node }: PlayedPod,
  namespace = own,
): void {
  const status = { podIP, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] };
  const key = `pods/${namespace}/${name}`;
  if (api.get(key)) return api.change(key, (pod) => (pod.status = status));
  const [labelName = '', value] = label.split('=');
  const metadata = { name, namespace, labels: { [labelName]: value } };
  api.create('pods', { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: node }, status });
}
