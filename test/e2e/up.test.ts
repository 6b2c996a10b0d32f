// needs: nginx, curl
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { NginxOrigin } from '../support/nginx-origin.ts';
import { makeRandomFile, sha256OfFile } from '../support/random-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

const launcher = fileURLToPath(new URL('../../bin/dragonfly', import.meta.url));
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
  const child = spawn(launcher, ['up', ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
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
    await waitFor('the addresses', () => /Ctrl-C stops everything/.test(output()), upDeadlineMs);
    const directory = stateDirectory(output()) ?? '';
    assert.equal(servicesIn(directory).length, 4);
    const sha256 = /^sha256 (\S+)$/m.exec(output())?.[1];
    for (const [line, path] of [
      [/^ {2}(\S*dfget .*)$/m, 'by-dfget'],
      [/^ {2}(curl .*)$/m, 'by-curl'],
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
    await waitFor('the addresses', () => /Ctrl-C stops everything/.test(output()), upDeadlineMs);
    assert.equal(servicesIn(directory.path).length, 4);
    child.kill('SIGKILL');
    await ended;
    await waitFor('the services to end by themselves', () => servicesIn(directory.path).length === 0, upDeadlineMs);
  });

  test('a service that dies is reported with its name and log, and the exit code says so', async () => {
    await using directory = await temporaryDirectory('df-up-');
    const { ended, output } = up('--peers', '1', '--size', '1MiB', '--directory', directory.path);
    await waitFor('the addresses', () => /Ctrl-C stops everything/.test(output()), upDeadlineMs);
    const [scheduler] = servicesIn(directory.path).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('/scheduler-1/'),
    );
    assert.ok(scheduler);
    process.kill(scheduler, 'SIGKILL');
    assert.equal(await ended, 6, output());
    assert.match(output(), /scheduler-1 ended with signal SIGKILL/);
    assert.match(output(), /hint: .*scheduler-1\/log/);
    assert.deepEqual(servicesIn(directory.path), []);
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
