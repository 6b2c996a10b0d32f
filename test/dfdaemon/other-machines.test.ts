/** What one machine has for itself stays on it, and strangers on another machine have no say: on two hosts with networks of their own. */
// needs: ip
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import { NamespaceNetwork, type NamespaceHost } from '../support/network-namespaces.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const run = promisify(execFile);
const bin = fileURLToPath(new URL('../../bin/', import.meta.url));
const secret = 'of this machine alone';

describe('two machines', { timeout: 240_000, skip: process.geteuid?.() !== 0 && 'needs root' }, () => {
  test('A: localhost of a seed is not for peers, and its node does nothing for strangers', async () => {
    await using cleanup = new AsyncDisposableStack();
    const directory = cleanup.use(await temporaryDirectory('df-two-'));
    const network = cleanup.use(await NamespaceNetwork.create({ hosts: 2 }));
    const [a, b] = network.hosts;
    assert.ok(a && b);

    async function start(program: string, name: string, host: NamespaceHost, config: object): Promise<ManagedProcess> {
      const place = directory.join(name);
      mkdirSync(place, { mode: 0o700 });
      writeFileSync(`${place}/config.yaml`, stringify(config));
      const args = ['--config', `${place}/config.yaml`];
      const started = await ManagedProcess.start({ name, program, args, enter: host.enter, logPath: `${place}/log` });
      cleanup.defer(async () => void (await started.stop()));
      return started;
    }
    const scheduler = await start('scheduler', 'scheduler', a, {
      server: { port: 0, advertiseIP: a.address, cacheDir: directory.join('scheduler') },
      manager: { addr: '' },
      metrics: { enable: false },
    });
    const schedulerAddress = scheduler.address('grpc');
    const daemon = (name: string, host: NamespaceHost, seed: boolean): Promise<ManagedProcess> =>
      start('dfdaemon', name, host, {
        workHome: directory.join(name),
        dataDir: directory.join(name, 'data'),
        cacheDir: directory.join(name, 'cache'),
        console: true,
        host: { advertiseIP: host.address, hostname: name },
        scheduler: { netAddrs: [{ addr: schedulerAddress }], manager: { enable: false, seedPeer: { enable: seed } } },
        health: { tcpListen: { port: 0 } },
        upload: { tcpListen: { port: 0 } },
        proxy: { tcpListen: { port: 0 } },
        download: {
          peerGRPC: { tcpListen: { port: 0 } },
          downloadGRPC: { unixListen: { socket: directory.join(name, 'd.sock') } },
        },
      });
    const seed = await daemon('seed', a, true);
    await daemon('peer', b, false);

    const server = `require('node:http').createServer((q, r) => r.end(${JSON.stringify(secret)})).listen(0, '127.0.0.1', function () {
      require('node:fs').writeFileSync(process.argv[1], String(this.address().port)); })`;
    const portFile = directory.join('port');
    const [program = '', ...words] = a.enter;
    const origin = execFile(program, [...words, process.execPath, '-e', server, portFile]);
    cleanup.defer(() => void origin.kill());
    const port = await waitFor('the service', () => existsSync(portFile) && readFileSync(portFile, 'utf8'));

    const dfget = async (name: string, host: NamespaceHost, url: string): Promise<string> => {
      const output = directory.join(`${name}-output`);
      const [enter = '', ...rest] = host.enter;
      const socket = directory.join(name, 'd.sock');
      await run(enter, [...rest, `${bin}dfget`, '--endpoint', socket, '--overwrite', '-O', output, url]).catch(
        () => undefined,
      );
      return existsSync(output) ? readFileSync(output, 'utf8') : '';
    };
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '2130706433'])
      assert.equal(await dfget('peer', b, `http://${host}:${port}/token`), '', host);
    const url = `http://127.0.0.1:${port}/token`;
    assert.equal(await dfget('seed', a, url), secret);
    assert.equal(await dfget('peer', b, url), '', 'also when the seed has it');

    const [enter = '', ...rest] = b.enter;
    const stranger = fileURLToPath(new URL('../support/stranger.ts', import.meta.url));
    const { stdout } = await run(enter, [
      ...rest,
      process.execPath,
      stranger,
      seed.address('peer'),
      schedulerAddress,
      url,
    ]);
    assert.deepEqual(JSON.parse(stdout), {
      DownloadTask: 'PERMISSION_DENIED',
      StatLocalTask: 'PERMISSION_DENIED',
      DeleteTask: 'PERMISSION_DENIED',
      SyncPieces: 'NOT_FOUND',
      ListHosts: 'PERMISSION_DENIED',
    });
  });
});
