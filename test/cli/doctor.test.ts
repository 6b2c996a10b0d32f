/** `dragonfly doctor` on nodes that are well and nodes that are not. */
import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { createDfget } from '../../src/cli/dfget/dfget.ts';
import { createDoctor } from '../../src/cli/doctor/doctor.ts';
import type { Finding } from '../../src/cli/doctor/checks.ts';
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { loadDfdaemonConfig } from '../../src/dfdaemon/config.ts';
import { issueCertificates } from '../source/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { FileOrigin } from './file-origin.ts';
import { startDaemon } from './lone-daemon.ts';
import { runTool } from './tool-io.ts';

const doctor = createDoctor(loadDfdaemonConfig);

async function findings(...argv: string[]): Promise<{ exitCode: number; of(subject: string): Finding[] }> {
  const { exitCode, stdout, error } = await runTool(doctor, [...argv, '--json']);
  assert.equal(error, undefined);
  const all = stdout
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Finding);
  return { exitCode, of: (subject) => all.filter((finding) => finding.subject === subject) };
}

function only(list: readonly Finding[]): Finding {
  assert.equal(list.length, 1, JSON.stringify(list));
  return list[0] as Finding;
}

/** A configuration of a node that does not run, with everything below one directory. */
async function nodeConfig(directory: TemporaryDirectory, more: object = {}): Promise<string> {
  const anyPort = { tcpListen: { listen: '127.0.0.1', port: 0 } };
  const config = {
    dataDir: directory.join('data'),
    health: anyPort,
    upload: anyPort,
    proxy: anyPort,
    download: { downloadGRPC: { unixListen: { socket: directory.join('d.sock') } }, peerGRPC: anyPort },
    ...more,
  };
  const path = directory.join('dfget.yaml');
  await writeFile(path, stringify(config));
  return path;
}

describe('dragonfly doctor', () => {
  it('finds nothing wrong with a node of a running cluster, and tells where a download came from', async () => {
    await using directory = await temporaryDirectory();
    await using origin = await FileOrigin.start();
    await using cluster = await LocalCluster.start({ directory: directory.path, peers: 1 });
    const [peer] = cluster.peers;
    assert.ok(peer);
    const url = origin.put('file', Buffer.alloc(5_000_000, 'x'));
    const before = await findings('--config', join(peer.directory, 'config.yaml'), url);
    assert.equal(before.exitCode, 0, JSON.stringify(before.of('scheduler')));
    assert.match(only(before.of('dfdaemon')).text, /answers at/);
    assert.match(only(before.of('manager')).text, /active schedulers: 1/);
    assert.equal(only(before.of('scheduler')).state, 'ok');
    assert.ok(before.of('url').some(({ text }) => text.includes('holds nothing of it')));
    const argv = [url, '-O', directory.join('out'), '-e', peer.socket];
    assert.equal((await runTool(createDfget(), argv)).exitCode, 0);
    const after = await findings('--config', join(peer.directory, 'config.yaml'), url);
    assert.ok(after.of('url').some(({ text }) => text.includes('holds all of it (4.8 MiB)')));
    assert.ok(
      after.of('url').some(({ text }) => /last download.*came from/.test(text)),
      JSON.stringify(after.of('url')),
    );
  });

  it('says that no scheduler is known, and that the proxy has no rule for a URL', async () => {
    await using directory = await temporaryDirectory();
    await using daemon = await startDaemon(directory.path);
    const result = await findings('--config', directory.join('dfget.yaml'), 'http://host/file');
    assert.equal(result.exitCode, 1);
    assert.equal(only(result.of('dfdaemon')).text, `answers at ${daemon.socket}`);
    assert.match(only(result.of('scheduler')).text, /every download goes to the origin/);
    assert.ok(result.of('url').some(({ text, state }) => state === 'warning' && text.includes('no rule matches')));
    assert.ok(result.of('url').some(({ text }) => text.includes('no scheduler answers')));
  });

  it('finds a daemon that does not run, a taken port, services that do not answer, a directory open to all', async () => {
    await using directory = await temporaryDirectory();
    const other = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const nobody = `127.0.0.1:${await freePort()}`;
    await mkdir(directory.join('data'));
    await chmod(directory.join('data'), 0o777);
    const config = await nodeConfig(directory, {
      upload: { tcpListen: { listen: '127.0.0.1', port } },
      scheduler: { manager: { enable: true, netAddrs: [{ addr: nobody }] }, netAddrs: [{ addr: nobody }] },
    });
    const result = await findings('--config', config);
    other.close();
    assert.equal(result.exitCode, 1);
    assert.equal(only(result.of('dfdaemon')).state, 'failure');
    assert.ok(result.of('port').some(({ text }) => text.includes(`port ${port} is taken by another program`)));
    assert.equal(only(result.of('manager')).state, 'failure');
    assert.equal(only(result.of('scheduler')).state, 'failure');
    assert.ok(result.of('disk').some(({ text }) => text.includes('may be written by other users')));
    for (const subject of ['dfdaemon', 'manager', 'scheduler']) assert.ok(only(result.of(subject)).hint, subject);
  });

  it('reads certificates', async () => {
    await using directory = await temporaryDirectory();
    const names = [{ type: 'dns' as const, value: 'node' }];
    const soon = await issueCertificates(names);
    const expired = await issueCertificates(names, -60_000);
    await writeFile(directory.join('soon.pem'), soon.cert);
    await writeFile(directory.join('expired.pem'), expired.cert);
    const security = { cert: directory.join('expired.pem'), caCert: directory.join('missing.pem') };
    const config = await nodeConfig(directory, {
      upload: { tcpListen: { listen: '127.0.0.1', port: 0 }, security },
      security: { caCert: directory.join('soon.pem') },
    });
    const certificates = (await findings('--config', config)).of('certificate');
    const stateOf = (name: string): string | undefined => certificates.find(({ text }) => text.includes(name))?.state;
    assert.deepEqual(
      [stateOf('soon.pem'), stateOf('expired.pem'), stateOf('missing.pem')],
      ['warning', 'failure', 'failure'],
    );
  });

  it('tells which container engines are wired to the proxy', async () => {
    await using directory = await temporaryDirectory();
    const root = directory.join('root');
    const put = async (path: string, text: string): Promise<void> => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    };
    await put('etc/containerd/certs.d/docker.io/hosts.toml', '[host."http://127.0.0.1:4001"]\n');
    await put('etc/docker/daemon.json', '{"registry-mirrors": ["http://127.0.0.1:9999"]}');
    await put('etc/containers/registries.conf', '# location = "127.0.0.1:4001"\n');
    const config = await nodeConfig(directory, { proxy: { tcpListen: { listen: '127.0.0.1', port: 4001 } } });
    const wiring = (await findings('--config', config, '--root', root)).of('wiring');
    assert.deepEqual(
      wiring.map(({ text, state }) => [text.split(':')[0], state]),
      [
        ['containerd', 'ok'],
        ['Docker', 'warning'],
        ['podman and CRI-O', 'warning'],
      ],
    );
    await put('etc/docker/daemon.json', '{"proxies":{"https-proxy":"http://127.0.0.1:4001"}}');
    const tunnelled = (await findings('--config', config, '--root', root)).of('wiring')[1];
    assert.equal(tunnelled?.state, 'warning');
    assert.match(tunnelled?.text ?? '', /only tunnel it: nothing of that is shared/);
    const proxy = { tcpListen: { listen: '127.0.0.1', port: 4001 }, hijackHTTPS: { autoCert: true } };
    const intercepting = await nodeConfig(directory, { proxy });
    assert.equal((await findings('--config', intercepting, '--root', root)).of('wiring')[1]?.state, 'ok');
  });

  it('names file, line and key of a bad configuration, and prints for people', async () => {
    await using directory = await temporaryDirectory();
    await writeFile(directory.join('bad.yaml'), 'upload:\n  rateLimit: fast\n');
    const { stdout, exitCode } = await runTool(doctor, ['--config', directory.join('bad.yaml')]);
    assert.equal(exitCode, 1);
    assert.match(
      stdout.toString(),
      /^FAIL +configuration +.*bad\.yaml:2: upload\.rateLimit.*\n +\S.*\n\n1 failed, 0 to look at\.\n$/s,
    );
  });
});
