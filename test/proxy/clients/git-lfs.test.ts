// needs: git, git-lfs, ip
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { clientConfiguration } from '../../../src/cli/setup/print.ts';
import { LocalSwarm } from '../../support/local-swarm.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { localAddress, run } from '../support/engines-fixture.ts';
import { LfsServer } from '../support/lfs-server.ts';
import { startDaemon, type ProxiedDaemon } from '../support/proxy-fixture.ts';

const registry = { name: 'docker.io', url: 'https://registry-1.docker.io' };

/** What `dragonfly setup git-lfs` prints, with another host in the place of its example's. */
function printed(proxyUrl: string, host: string): { commands: string[]; daemon: Record<string, unknown> } {
  const text = clientConfiguration('git-lfs', { proxyUrl, registry })
    .replaceAll('github-cloud\\.githubusercontent\\.com', host.replaceAll('.', '\\.'))
    .replaceAll('github-cloud.githubusercontent.com', host);
  const sections = [...text.matchAll(/proxy\.(\w+): (.*)/g)].map(([, name = '', yaml = '']) => [name, parse(yaml)]);
  const commands = text.split('\n').filter((line) => line.startsWith('git config '));
  return { commands, daemon: Object.fromEntries(sections) as Record<string, unknown> };
}

/** A repository whose files are pointers, as a clone without their content leaves it. */
async function pointers(directory: string, server: LfsServer, files: ReadonlyMap<string, Buffer>): Promise<void> {
  await mkdir(directory, { recursive: true });
  const env = { HOME: directory, GIT_LFS_SKIP_SMUDGE: '1' };
  const git = (...args: string[]) => run('git', ['-C', directory, ...args], { env });
  await git('init', '--quiet');
  await git('lfs', 'install', '--local');
  await writeFile(join(directory, '.gitattributes'), '*.bin filter=lfs diff=lfs merge=lfs -text\n');
  await writeFile(join(directory, '.lfsconfig'), `[lfs]\n\turl = https://${server.host}\n`);
  for (const [name, content] of files) {
    const lines = ['version https://git-lfs.github.com/spec/v1', `oid sha256:${server.add(content)}`];
    await writeFile(join(directory, name), [...lines, `size ${content.length}`, ''].join('\n'));
  }
  await git('add', '.');
  await git('-c', 'user.name=t', '-c', 'user.email=t@example.test', 'commit', '--quiet', '--message', 'pointers');
}

async function pull(directory: string, node: ProxiedDaemon, server: LfsServer, caPath: string): Promise<void> {
  const env = { HOME: directory, GIT_SSL_CAINFO: '' }; // it would win over the configuration
  for (const command of printed(node.url, server.storeHost).commands) {
    const words = command.replace('<workHome>', join(node.directory, 'work')).split(' ').slice(1);
    await run('git', words, { env });
  }
  // The batch API goes through a blind tunnel, so the client sees the server's own certificate.
  await run('git', ['config', '--global', `http.https://${server.host}/.sslCAInfo`, caPath], { env });
  await run('git', ['-C', directory, 'lfs', 'pull'], { env });
}

test('git-lfs on two nodes gets every object, and the store sends one copy of each', { timeout: 240_000 }, async () => {
  await using owned = new AsyncDisposableStack();
  const directory = owned.use(await temporaryDirectory('df-lfs-'));
  const { address } = owned.use(await localAddress());
  const server = owned.use(await LfsServer.start(address));
  const caPath = directory.join('ca.pem');
  await writeFile(caPath, server.ca);
  const swarm = owned.use(await LocalSwarm.create());
  const schedulers = [await swarm.startScheduler()];
  const { hijackHTTPS, proxies } = printed('http://127.0.0.1', server.storeHost).daemon as {
    hijackHTTPS: { hosts: object[] };
    proxies: object[];
  };
  const hosts = hijackHTTPS.hosts.map((host) => ({ ...host, certs: [server.ca] }));
  const proxy = { connectPorts: ['1-65535'], hijackHTTPS: { ...hijackHTTPS, hosts }, proxies };
  const files = new Map([9_000_001, 700_000, 5].map((size) => [`${size}.bin`, randomBytes(size)]));
  const nodes = new Map<string, ProxiedDaemon>();
  for (const name of ['one', 'two']) {
    const more = { host: { advertiseIP: '127.0.0.1', hostname: name } };
    nodes.set(directory.join(name), owned.use(await startDaemon({ proxy, schedulers, more })));
    await pointers(directory.join(name), server, files);
  }
  await Promise.all([...nodes].map(([place, node]) => pull(place, node, server, caPath)));

  assert.equal(server.batches, 2, 'each node asked for signatures of its own');
  for (const [name, content] of files) {
    const oid = createHash('sha256').update(content).digest('hex');
    for (const place of nodes.keys()) {
      const arrived = await readFile(join(place, name));
      assert.equal(createHash('sha256').update(arrived).digest('hex'), oid, `${name} in ${place}`);
    }
    const asked = server.sent.filter((request) => request.oid === oid);
    // One byte each time tells whether a signature is good.
    const copies = asked.filter((request) => request.range !== 'bytes=0-0');
    assert.equal(copies.length, 1, `${name}: ${JSON.stringify(asked)}`);
  }
});
