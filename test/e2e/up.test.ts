// needs: nginx, curl
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { productCommand } from '../support/product.ts';
import { NginxOrigin } from '../support/nginx-origin.ts';
import { makeRandomFile, sha256OfFile } from '../support/random-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const [launcher] = productCommand('dragonfly');
const start = fileURLToPath(new URL('../../scripts/start.ts', import.meta.url));
const upDeadlineMs = 300_000;

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | NodeJS.Signals | null>;
  output(): string;
}

function up(...args: string[]): Running {
  return upIn(process.cwd(), ...args);
}

function upIn(cwd: string, ...args: string[]): Running {
  return watched(spawn(launcher, ['up', ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** What `npm start` runs. */
function npmStart(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  return watched(
    spawn(process.execPath, [start, ...args], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
}

function watched(child: ChildProcessByStdio<null, Readable, Readable>): Running {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals | null);
  return { child, ended, output: () => output };
}

/** Processes of services whose configuration lies in that directory, found as an administrator would. */
function servicesIn(directory: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return command.includes('--ready-fd') && command.some((word) => word.startsWith(`${directory}/`));
    } catch {
      return false; // ended while we looked
    }
  });
}

function serviceIn(directory: string, name: string): number {
  const [pid] = servicesIn(directory).filter((candidate) =>
    readFileSync(`/proc/${candidate}/cmdline`, 'utf8').includes(`/${name}/`),
  );
  return pid ?? assert.fail(`${name} does not run`);
}

function stateDirectory(output: string): string | undefined {
  return /state in (\S+)/.exec(output)?.[1];
}

describe('dragonfly up', () => {
  test('--once ends with 0, the receipt and nothing left behind', async () => {
    const { ended, output } = up('--once', '--peers', '2', '--size', '24MiB');
    assert.equal(await ended, 0, output());
    assert.equal(output().match(/ verified$/gm)?.length, 3);
    assert.match(output(), /^origin sent 1\.00 copies in 1 request$/m);
    const directory = stateDirectory(output());
    assert.ok(directory !== undefined && !existsSync(directory), `${directory} is left behind`);
    assert.deepEqual(servicesIn(directory), []);
  });

  test('takes the URL of a file, counts by the receipts what its origin sent', async () => {
    await using directory = await temporaryDirectory();
    await using origin = await NginxOrigin.start({ directory: directory.path });
    const file = await makeRandomFile(join(origin.root, 'model.bin'), 10 * 2 ** 20);
    const { ended, output } = up('--once', '--peers', '2', `${origin.url}/model.bin`);
    assert.equal(await ended, 0, output());
    assert.match(output(), new RegExp(`^sha256 ${file.sha256}$`, 'm'));
    assert.match(output(), /^origin sent 1\.00 copies in 1 request$/m);
    assert.equal(await origin.bytesSent('/model.bin'), file.sizeBytes);
  });

  test('stays up until Ctrl-C; the lines to paste work meanwhile; then takes everything down', async () => {
    await using terminal = await temporaryDirectory();
    const { child, ended, output } = upIn(terminal.path, '--peers', '1', '--size', '5MiB');
    await waitFor('the addresses', () => /^Stop it: +Ctrl-C$/m.test(output()), upDeadlineMs);
    const directory = stateDirectory(output()) ?? '';
    assert.equal(servicesIn(directory).length, 4);
    const sha256 = /^sha256 (\S+)$/m.exec(output())?.[1];
    for (const [line, path] of [
      [/^Try it: +(\S.*dfget .*)$/m, 'by-dfget'],
      [/^ +(curl .*)$/m, 'by-curl'],
    ] as const) {
      const pasted = line.exec(output())?.[1] ?? assert.fail(output());
      await promisify(execFile)('sh', ['-c', pasted], { cwd: terminal.path });
      assert.equal(await sha256OfFile(terminal.join(path)), sha256, pasted);
    }
    child.kill('SIGINT');
    assert.equal(await ended, 0, output());
    assert.deepEqual(servicesIn(directory), []);
    assert.ok(!existsSync(directory));
  });

  test('Ctrl-C in the middle: ends at once with the exit code of a cancelled program, nothing left behind', async () => {
    for (const moment of [/^origin: /m, /^up in /m]) {
      const { child, ended, output } = up('--peers', '2', '--size', '100MiB');
      await waitFor(`a line like ${moment}`, () => moment.test(output()), upDeadlineMs);
      const directory = stateDirectory(output());
      child.kill('SIGINT');
      assert.equal(await ended, 130, output());
      assert.match(output(), /^up: /m);
      assert.ok(directory === undefined || !existsSync(directory), `${directory} is left behind`);
      if (directory !== undefined) assert.deepEqual(servicesIn(directory), []);
    }
  });

  test('killed without a chance to clean up, it leaves no process', async () => {
    await using directory = await temporaryDirectory('df-up-');
    const { child, ended, output } = up('--peers', '1', '--size', '1MiB', '--directory', directory.path);
    await waitFor('the addresses', () => /^Stop it: +Ctrl-C$/m.test(output()), upDeadlineMs);
    assert.equal(servicesIn(directory.path).length, 4);
    child.kill('SIGKILL');
    await ended;
    await waitFor('the services to end by themselves', () => servicesIn(directory.path).length === 0, upDeadlineMs);
  });

  test('every service that dies is started again, said so, and the pasted lines still work', async () => {
    await using directory = await temporaryDirectory('df-up-');
    const { child, ended, output } = up('--peers', '1', '--size', '1MiB', '--directory', directory.path);
    await waitFor('the addresses', () => /^Stop it: +Ctrl-C$/m.test(output()), upDeadlineMs);
    for (const name of ['peer-1', 'seed-1', 'scheduler-1', 'manager']) {
      process.kill(serviceIn(directory.path, name), 'SIGKILL');
      const back = new RegExp(
        `^${name} ended with signal SIGKILL; starting it again\\n(?:.*\\n)*${name} is back$`,
        'm',
      );
      await waitFor(`${name} to be back`, () => back.test(output()), upDeadlineMs);
    }
    const pasted = /^ +(curl .*)$/m.exec(output())?.[1] ?? assert.fail(output());
    await promisify(execFile)('sh', ['-c', pasted], { cwd: directory.path });
    assert.equal(await sha256OfFile(directory.join('by-curl')), /^sha256 (\S+)$/m.exec(output())?.[1]);
    child.kill('SIGINT');
    assert.equal(await ended, 0, output());
    assert.deepEqual(servicesIn(directory.path), []);
  });

  test('--once: a service that dies is reported with its name and log, and the exit code says so', async () => {
    await using directory = await temporaryDirectory('df-up-');
    const { ended, output } = up('--once', '--peers', '1', '--size', '300MiB', '--directory', directory.path);
    await waitFor('the cluster', () => /^up in /m.test(output()), upDeadlineMs);
    process.kill(serviceIn(directory.path, 'scheduler-1'), 'SIGKILL');
    assert.equal(await ended, 6, output());
    assert.match(output(), /scheduler-1 ended with signal SIGKILL/);
    assert.match(output(), /hint: .*scheduler-1\/log/);
    assert.deepEqual(servicesIn(directory.path), []);
  });

  test('npm start ends with a console that opens and the password that signs in', async () => {
    const { child, ended, output } = npmStart(['--peers', '1', '--size', '1MiB']);
    await waitFor('the addresses', () => /^Stop it: +Ctrl-C$/m.test(output()), upDeadlineMs);
    const url = /^Watch it: +(http\S+)$/m.exec(output())?.[1] ?? assert.fail(output());
    const page = await fetch(url, { headers: { accept: 'text/html' } });
    assert.equal(page.status, 200);
    assert.match(await page.text(), /<script[^>]+src="/);
    const password = /^Sign in: +user root, password (\S+)$/m.exec(output())?.[1];
    const signIn = await fetch(new URL('/api/v1/users/signin', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'root', password }),
    });
    assert.equal(signIn.status, 200, await signIn.text());
    assert.match(output(), /^2 nodes got 1\.00? MiB each, the origin sent 1\.00? MiB: 1\.00? MiB saved$/m);
    child.kill('SIGINT');
    assert.equal(await ended, 0, output());
  });

  test('flags that npm kept for itself are told, not ignored', async () => {
    const { ended, output } = npmStart(['8'], { npm_config_peers: 'true' });
    assert.equal(await ended, 2, output());
    assert.match(output(), /^hint: .*npm start -- --peers/m);
  });

  test('what would not fit on the disk is refused before anything is written', async () => {
    const { ended, output } = up('--once', '--size', '100Ti');
    assert.equal(await ended, 5, output());
    assert.match(output(), /^up: .* are needed in .* are free$/m);
    assert.match(output(), /^hint: Choose a smaller --size/m);
  });

  test('a directory that cannot be is refused in one sentence, and nothing hangs', async () => {
    for (const [directory, exit] of [
      ['/proc/nothing/below', 1],
      ['/dev/zero/below', 2],
      [`/tmp/${'long/'.repeat(25)}`, 2],
    ] as const) {
      const { ended, output } = up('--once', '--directory', directory);
      assert.equal(await ended, exit, output());
      assert.match(output(), /^hint: /m);
      assert.doesNotMatch(output(), /^\s+at .*\.ts/m, 'no stack trace');
    }
  });

  test('an origin that refuses is one sentence and its exit code', async () => {
    const { ended, output } = up('--once', '--peers', '1', 'http://127.0.0.1:9/nothing-listens-here');
    assert.equal(await ended, 6, output());
    assert.doesNotMatch(output(), /^\s+at .*\.ts/m, 'no stack trace');
  });

  test('wrong use is refused before anything starts', async () => {
    for (const args of [['--peers', '0'], ['--size', 'big'], ['not a url'], ['--unknown']]) {
      const { ended, output } = up(...args);
      assert.equal(await ended, 2, output());
      assert.match(output(), /^hint: /m);
    }
  });
});
