// needs: socat
/** What looks after a service from outside: systemd's notifications, and probes in the manner of grpc_health_probe. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import { freePort } from '../support/free-port.ts';
import { productCommand } from '../support/product.ts';
import { startServiceManager } from '../support/service-manager.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

interface Probe {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const probeDeadlineMs = 120_000;

async function probe(command: readonly string[], ...args: string[]): Promise<Probe> {
  const [program = '', ...before] = command;
  const child = spawn(program, [...before, ...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: probeDeadlineMs });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number, stdout, stderr };
}

const schedulerArgs = (directory: string, port: number): string[] => [
  '--set',
  `server.port=${port}`,
  '--set',
  `server.cacheDir=${directory}`,
];

test('a service tells the manager of services that it serves, lives and ends', async () => {
  await using directory = await temporaryDirectory();
  await using manager = await startServiceManager(directory.join('notify'));
  await using service = await ManagedProcess.start({
    name: 'scheduler',
    program: 'scheduler',
    command: productCommand('scheduler'),
    args: schedulerArgs(directory.path, 0),
    env: { NOTIFY_SOCKET: directory.join('notify'), WATCHDOG_USEC: '200000' },
  });
  assert.match(await manager.heard(/(?:WATCHDOG=1){2}/), /^READY=1(?:WATCHDOG=1)+$/);
  assert.deepEqual(await service.stop(60_000), { code: 0, signal: null });
  await manager.heard(/STOPPING=1/);
});

test('a service starts where nobody listens at NOTIFY_SOCKET', async () => {
  await using directory = await temporaryDirectory();
  await using service = await ManagedProcess.start({
    name: 'scheduler',
    program: 'scheduler',
    command: productCommand('scheduler'),
    args: schedulerArgs(directory.path, 0),
    env: { NOTIFY_SOCKET: '@nobody-listens-here' },
  });
  await waitFor('the warning', () => /cannot be told anything/.test(service.tail()));
});

test('health: outcomes and exit codes of grpc_health_probe, under its name and with its flags', async () => {
  await using directory = await temporaryDirectory();
  const [program] = productCommand('dragonfly');
  await symlink(program, directory.join('grpc_health_probe'));
  const byName = [directory.join('grpc_health_probe')];
  const command = [program, 'health'];
  await using service = await ManagedProcess.start({
    name: 'scheduler',
    program: 'scheduler',
    command: productCommand('scheduler'),
    args: schedulerArgs(directory.path, 0),
  });
  const port = new URL(`http://${service.address('grpc')}`).port;
  const patient = ['-connect-timeout=60s', '-rpc-timeout', '60s'];
  const serving = { code: 0, stdout: 'status: SERVING\n', stderr: '' };
  assert.deepEqual(await probe(byName, `-addr=:${port}`, ...patient), serving);
  assert.deepEqual(await probe(command, '--addr', `127.0.0.1:${port}`, ...patient), serving);
  const unknown = await probe(command, `-addr=:${port}`, '-service=nobody', ...patient);
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /health rpc failed: .*does not offer the service nobody/);
  const closed = await freePort();
  const nobody = await probe(command, `-addr=127.0.0.1:${closed}`, '-connect-timeout=300ms');
  assert.equal(nobody.code, 2);
  assert.match(nobody.stderr, /failed to connect service "127\.0\.0\.1:\d+" within 300ms/);
  assert.equal((await probe(command)).code, 1);
  assert.equal((await probe(command, '-addr=:1', '-connect-timeout=soon')).code, 1);
});
