/** dfctl against a real daemon in a process of its own. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { runDfctl } from '../../src/cli/dfctl/dfctl.ts';
import { createDfget } from '../../src/cli/dfget/dfget.ts';
import { SchedulerDefinition, type PreheatFileRequest } from '../../gen/scheduler/v2/scheduler.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { FileOrigin } from './file-origin.ts';
import { startDaemon, type LoneDaemon } from './lone-daemon.ts';
import { runTool, type ToolRun } from './tool-io.ts';

describe('dfctl task', () => {
  let state: TemporaryDirectory;
  let origin: FileOrigin;
  let daemon: LoneDaemon;

  before(async () => {
    state = await temporaryDirectory();
    origin = await FileOrigin.start();
    daemon = await startDaemon(state.path);
  });
  after(async () => {
    await daemon?.[Symbol.asyncDispose]();
    await origin?.[Symbol.asyncDispose]();
    await state?.[Symbol.asyncDispose]();
  });

  const run = (...argv: string[]): Promise<ToolRun> =>
    runTool(runDfctl, argv, { env: { DFGET_ENDPOINT: daemon.socket } });
  const download = async (name: string, bytes: number): Promise<string> => {
    const argv = [origin.put(name, randomBytes(bytes)), '-O', state.join(name), '--receipt=json', '-e', daemon.socket];
    const { stdout } = await runTool(createDfget(), argv);
    return (JSON.parse(stdout.toString()) as { taskId: string }).taskId;
  };

  it('lists, shows and removes what the node stores', async () => {
    assert.match((await run('task', 'ls')).stdout.toString(), /No tasks/);
    const [first, second] = [await download('first', 5_000_000), await download('second', 1000)];
    const table = (await run('task', 'ls')).stdout.toString();
    assert.match(table, /^TASK +SIZE +STATE/);
    assert.match(table, new RegExp(`${first} +4\\.8 MiB +finished .*/first\n`));
    const order = (text: string): string[] => text.match(/(?<=\/)(?:first|second)$/gm) ?? [];
    assert.deepEqual(order(table), ['second', 'first']);
    assert.deepEqual(order((await run('task', 'ls', '--sort', 'size')).stdout.toString()), ['first', 'second']);
    assert.equal((await run('task', 'ls', '--sort', 'colour')).error?.code, 'INVALID_ARGUMENT');
    const lines = (await run('task', 'ls', '--json')).stdout.toString().trim().split('\n');
    const listed = lines.map((line) => JSON.parse(line) as { taskId: string; contentLength: number });
    assert.deepEqual(new Set(listed.map((task) => task.taskId)), new Set([first, second]));

    const shown = (await run('task', 'show', first)).stdout.toString();
    assert.match(shown, /size +4\.8 MiB \(5000000 bytes\)/);
    assert.match(shown, /piece length +4\.0 MiB/);

    const removed = await run('task', 'rm', first, second);
    assert.equal(removed.exitCode, 0);
    assert.match(removed.stdout.toString(), new RegExp(`removed ${second}`));
    assert.match((await run('task', 'ls')).stdout.toString(), /No tasks/);
    const again = await run('task', 'rm', first);
    assert.equal(again.error?.code, 'NOT_FOUND');
  });

  it('verifies, exports and accounts for what the node stores', async () => {
    const id = await download('third', 9_000_000);
    const content = origin.files.get('third') as Buffer;
    assert.match((await run('task', 'verify', id)).stdout.toString(), new RegExp(`^${id}  3 pieces, all right`));
    const streamed = await run('task', 'export', id, '-O', '-');
    assert.equal(streamed.error, undefined);
    assert.ok(streamed.stdout.equals(content));
    for (const flags of [['--transfer-from-dfdaemon'], ['--overwrite']]) {
      const exported = await run('task', 'export', id, '-O', state.join('exported'), ...flags);
      assert.equal(exported.exitCode, 0, exported.error?.message);
      assert.ok((await readFile(state.join('exported'))).equals(content));
    }
    assert.equal((await run('task', 'export', id, '-O', state.join('exported'))).error?.code, 'OUTPUT');
    const [receipt] = (await run('task', 'receipts', id, '--json')).stdout.toString().trim().split('\n');
    assert.equal((JSON.parse(receipt ?? '') as { bytesFromOrigin: number }).bytesFromOrigin, content.length);
    assert.match((await run('task', 'receipts')).stdout.toString(), /from the origin in 1 request/);
    assert.equal((await run('task', 'verify', '0'.repeat(64))).error?.code, 'NOT_FOUND');
  });

  it('takes the first digits of a task id for the whole', async () => {
    const id = await download('short', 1000);
    const short = id.slice(0, 16);
    assert.match((await run('task', 'show', short)).stdout.toString(), new RegExp(`^task +${id}\n`));
    assert.match((await run('task', 'verify', short)).stdout.toString(), new RegExp(`^${id}  1 pieces, all right`));
    assert.equal((await run('task', 'export', short, '-O', '-')).stdout.length, 1000);
    assert.match((await run('task', 'receipts', short)).stdout.toString(), new RegExp(id));
    const ids = (await run('task', 'ls')).stdout.toString().match(/^[0-9a-f]{64}/gm) ?? [];
    const strange = ['0000', '1111', '2222'].find((digits) => !ids.some((known) => known.startsWith(digits))) ?? '';
    assert.equal((await run('task', 'rm', strange)).error?.code, 'NOT_FOUND');
    for (const wrong of ['abc', 'nonsense', id.toUpperCase()])
      assert.equal((await run('task', 'show', wrong)).error?.code, 'INVALID_ARGUMENT', wrong);
    assert.match((await run('task', 'rm', short)).stdout.toString(), new RegExp(`removed ${id}`));
  });

  it('finds a piece that was changed on the disk', async () => {
    const id = await download('fourth', 9_000_000);
    const path = state.join('data', 'content', 'tasks', id.slice(0, 3), id);
    const file = await open(path, 'r+');
    await file.write(Buffer.from('changed'), 0, 7, 5_000_000);
    await file.close();
    const { error, stdout } = await run('task', 'verify', id);
    assert.equal(error?.code, 'DIGEST_MISMATCH');
    assert.match(stdout.toString(), /BROKEN: pieces 1\n/);
  });

  it('explains wrong use', async () => {
    for (const argv of [
      ['task', 'show'],
      ['task', 'nothing'],
      ['task', 'rm'],
      ['task', 'ls', '--bad'],
      ['task', 'preheat'],
    ]) {
      assert.equal((await run(...argv)).error?.code, 'INVALID_ARGUMENT', argv.join(' '));
    }
    assert.match((await run('--help')).stdout.toString(), /task/);
    assert.equal((await runTool(runDfctl, ['task', 'ls', '-e', '/none'])).error?.code, 'DAEMON_UNREACHABLE');
    assert.match((await run('task', 'preheat', 'http://a/b')).error?.hint ?? '', /8002/);
  });

  it('asks a scheduler to preheat and tells how it went at every node', async () => {
    const requests: PreheatFileRequest[] = [];
    const scheduler = RpcServer.create({ host: '127.0.0.1', port: 0 }, { logger: silentLogger });
    const outcome = { url: 'http://o/f', hostId: 'h', hostname: 'node-1', ip: '10.0.0.1', error: '' };
    scheduler.addService(SchedulerDefinition, {
      preheatFile: (request) => {
        requests.push(request);
        const failed = { ...outcome, hostname: 'node-2', error: 'the disk is full' };
        return Promise.resolve({ outcomes: request.count === 1 ? [outcome] : [outcome, failed] });
      },
    });
    await scheduler.start();
    try {
      const to = ['--scheduler-endpoint', `127.0.0.1:${scheduler.port}`, '--scope', 'all_peers'];
      const good = await run('task', 'preheat', 'http://o/f', ...to, '--count', '1', '-H', 'A: b', '--tag', 't');
      assert.equal(good.exitCode, 0, good.error?.message);
      assert.match(good.stdout.toString(), /done +node-1 +http:\/\/o\/f/);
      const [request] = requests;
      assert.deepEqual(
        [request?.url, request?.scope, request?.header, request?.tag],
        ['http://o/f', 'all_peers', { A: 'b' }, 't'],
      );
      const bad = await run('task', 'preheat', 'http://o/f', ...to);
      assert.match(bad.stdout.toString(), /FAILED +node-2 .*the disk is full/);
      assert.match(bad.error?.message ?? '', /1 of 2/);
    } finally {
      await scheduler[Symbol.asyncDispose]();
    }
  });
});
