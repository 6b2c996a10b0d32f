/** dfctl at a manager: a real one, with a real scheduler, over its REST API. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { runDfctl } from '../../src/cli/dfctl/dfctl.ts';
import type { Database } from '../../src/manager/db/database.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import type { Node } from '../../src/manager/nodes/node.ts';
import { DistributionStore } from '../../src/manager/traffic/distribution-store.ts';
import { ShareStore } from '../../src/manager/traffic/share-store.ts';
import { Disk } from '../../gen/common/v2/common.ts';
import { Distribution } from '../../gen/scheduler/v2/live.ts';
import { databaseConfig, eventually } from '../manager/support/engines.ts';
import { rootOf, startManager } from '../manager/support/manager-fixture.ts';
import { SchedulerFixture } from '../scheduler/fixture.ts';
import { runTool, type ToolRun } from './tool-io.ts';

describe('dfctl at a manager', () => {
  let manager: ManagerService;
  let scheduler: SchedulerFixture;
  let env: Record<string, string>;

  before(async () => {
    manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }));
    const root = await rootOf(manager);
    const token = { name: 'dfctl', scopes: ['cluster'], expired_at: '2099-01-01T00:00:00Z', user_id: 1 };
    const { token: value } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', token);
    env = { DFCTL_MANAGER: `127.0.0.1:${manager.restPort}`, DFCTL_TOKEN: value };
    scheduler = await SchedulerFixture.start(
      `manager: { addr: "127.0.0.1:${manager.grpcPort}", schedulerClusterID: 1 }`,
      {
        heldHostGraceMs: 50,
      },
    );
    await scheduler.host({ type: 1, disk: Disk.fromPartial({ total: 4_000_000, free: 1_000_000 }) });
    const dying = await scheduler.host();
    const held = new AbortController();
    const holding = scheduler.client.holdHost({ hostId: dying.id }, { signal: held.signal })[Symbol.asyncIterator]();
    await holding.next();
    held.abort();
    await eventually(async () => {
      const nodes = await root.ok<Node[]>('GET', '/api/v1/nodes');
      assert.deepEqual(
        nodes.map(({ state }) => state),
        ['online', 'lost'],
      );
      assert.equal((await root.ok<unknown[]>('GET', '/api/v1/concerns')).length, 1);
    });
  });
  after(async () => {
    await scheduler?.[Symbol.asyncDispose]();
    await manager?.[Symbol.asyncDispose]();
  });

  const run = (...argv: string[]): Promise<ToolRun> => runTool(runDfctl, argv, { env });
  const textOf = async (...argv: string[]): Promise<string> => {
    const { stdout, error } = await run(...argv);
    assert.equal(error, undefined);
    const text = stdout.toString();
    for (const line of text.split('\n')) if (!line.startsWith('{')) assert.ok(line.length <= 80, line);
    return text;
  };

  it('makes, lists, pauses and deletes rules of replication', async () => {
    const added = await textOf(
      'replication',
      'add',
      'apps',
      '127.0.0.1:1/team/*',
      '--tag',
      'v*',
      '--every',
      '1h',
      '--on-push',
    );
    assert.match(added, /^Added: apps, on push, every 1h/);
    assert.match(
      await textOf('replication', 'ls'),
      /^RULE +SOURCE +WHEN +TAGS +PROVEN\napps +127\.0\.0\.1:1\/team\/\* /,
    );
    assert.match(
      await textOf('replication', 'secret', 'apps', '--json'),
      /\/replication-rules\/1\/notifications.*Bearer /,
    );
    assert.match(await textOf('replication', 'pause', 'apps'), /Rests: apps/);
    const [line = ''] = (await textOf('replication', 'ls', '--json')).split('\n');
    const { enabled, has_secret: hasSecret } = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual([enabled, hasSecret], [false, true]);
    assert.match(
      (await run('replication', 'show', 'apps')).stdout.toString(),
      /^apps: 127\.0\.0\.1:1\/team\/\*, v\*, paused/,
    );
    assert.match((await run('replication', 'run', 'none')).error?.message ?? '', /there is no replication rule none/);
    assert.match(await textOf('replication', 'rm', 'apps'), /Deleted: apps/);
    const mirror = ['add', 'eu', '127.0.0.1:1/team/*', '--target', 'mirror.example/eu', '--target-username', 'sync'];
    const { error, stdout } = await runTool(runDfctl, ['replication', ...mirror, '--target-only'], {
      env: { ...env, DFCTL_TARGET_PASSWORD: 'secret' },
    });
    assert.ifError(error);
    assert.match(stdout.toString(), /^Added: eu/);
    assert.match(
      (await run('replication', 'show', 'eu')).stdout.toString(),
      /^eu: 127\.0\.0\.1:1\/team\/\* to mirror\.example\/eu, \*.*\n(?:The tags.*\n)?\n *CLUSTER .*\n *target /,
    );
    assert.match(await textOf('replication', 'rm', 'eu'), /Deleted: eu/);
    assert.equal(await textOf('replication', 'ls'), 'There are no rules.\n');
  });

  it('lists nodes, shows one, and counts those of a cluster', async () => {
    const table = await textOf('node', 'ls');
    assert.match(table, /^NODE +STATE +SINCE +TYPE +DISK/);
    assert.match(table, /^host-1 +online +\S+ +seed +75 %/m);
    assert.match(table, /^host-2 +lost +\S+ +peer/m);
    const lost = (await textOf('node', 'ls', '--state', 'lost', '--json')).trim().split('\n');
    assert.deepEqual(
      lost.map((line) => (JSON.parse(line) as Node).host_name),
      ['host-2'],
    );
    const shown = await textOf('node', 'show', 'host-2');
    assert.match(shown, /^state +lost, \S+ ago \(stream\)$/m);
    assert.match(shown, /What became of it:\n.*lost \(stream\)\n/);
    assert.match(await textOf('cluster', 'ls'), /^ +1 +cluster-1 \(default\) +1 +1 +0 +1$/m);
  });

  it('top shows what wants attention, once for programs, again and again on a terminal', async () => {
    const text = await textOf('top');
    assert.match(text, /^1 online, 0 hung, 1 lost; 0 uploads now/);
    assert.match(text, /^- host-2: its connection broke/m);
    const frame = JSON.parse(await textOf('top', '--json')) as { counts: object; nodes: Node[]; concerns: object[] };
    assert.deepEqual(
      [frame.counts, frame.nodes.length, frame.concerns.length],
      [{ online: 1, silent: 0, lost: 1 }, 2, 1],
    );

    const ended = new AbortController();
    let frames = 0;
    const stdout = Object.assign(
      new Writable({
        write: (bytes: Buffer, _encoding, done) => {
          frames += bytes.toString().includes('NODE') ? 1 : 0;
          if (frames === 2) ended.abort();
          done();
        },
      }),
      { isTTY: true, columns: 80, rows: 24 },
    );
    const io = { stdin: process.stdin, stdout, stderr: stdout, env, signal: ended.signal };
    assert.equal(await runDfctl(['top'], io), 0);
    assert.equal(frames, 2);
  });

  it('tells who got how much, what was distributed, and a month', async () => {
    await fillHistory(manager.database);
    const table = await textOf('traffic', 'ls', '--by', 'node', '--sort', 'failures');
    assert.match(table, /^9.0 GiB saved of 10.0 GiB \(90 %\), 30 downloads; before: nothing$/m);
    assert.match(table, /^NODE +FROM NODES +FROM ORIGIN +SAVED +GAVE +FAILED$/m);
    assert.match(table, /^drags +9.0 GiB +1.0 GiB +90 % +5 B +7$/m);
    const lines = (await textOf('traffic', 'ls', '--by', 'zone', '--name', 'zone-b', '--json')).trim().split('\n');
    const [zone, total] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      [zone?.['name'], zone?.['downloads'], Object.keys(total ?? {})],
      ['zone-b', 30, ['total', 'before']],
    );
    assert.match(await textOf('distribution', 'ls'), /^http:\/\/origin.test\/model.bin +30 +4.0s +1 +2 +drags$/m);
    assert.match(await textOf('distribution', 'top'), /^http:\/\/origin.test\/model.bin +30 +9.0 GiB +1.0 GiB$/m);
    assert.equal(await textOf('distribution', 'ls', '--url', 'other'), 'Nothing was distributed in this time.\n');
    const report = await textOf('report');
    for (const title of ['By application', 'By zone', 'Asked for most', 'Slowest', 'Nodes that failed most'])
      assert.ok(report.includes(`\n${title}\n`), title);
    assert.match(await textOf('report', '--month', '2020-01'), /^2020-01: Nothing was downloaded in this time.$/m);
  });

  it('writes no control characters of what hosts call themselves', async () => {
    const odd = '\u001B]0;owned\u0007\u001B[2J\r\u202Eevil';
    await scheduler.host({ hostname: odd });
    await eventually(async () => assert.match((await run('node', 'ls')).stdout.toString(), /evil/));
    for (const argv of [['node', 'ls'], ['top'], ['node', 'show', odd]]) {
      const { stdout, stderr, error } = await run(...argv);
      const shown = `${stdout.toString()}${stderr}${error?.message ?? ''}`;
      assert.doesNotMatch(shown, /[\0-\x08\x0B-\x1F\x7F-\x9F\u202A-\u202E]/, argv.join(' '));
    }
  });

  it('a mistake is one sentence, with what to do', async () => {
    const failure = async (argv: string[], changed: Record<string, string>): Promise<string> => {
      const { error } = await runTool(runDfctl, argv, { env: { ...env, ...changed } });
      assert.ok(error?.hint);
      return `${error.code} ${error.message}`;
    };
    assert.match(
      await failure(['node', 'ls'], { DFCTL_TOKEN: '' }),
      /^UNAUTHENTICATED there is no personal access token/,
    );
    assert.match(await failure(['node', 'ls'], { DFCTL_TOKEN: 'invented' }), /^UNAUTHENTICATED Invalid token/);
    assert.match(
      await failure(['top'], { DFCTL_MANAGER: '127.0.0.1:1' }),
      /^UNAVAILABLE the manager at 127.0.0.1:1 does not answer/,
    );
    assert.match(
      await failure(['top'], { DFCTL_MANAGER: 'ftp://x' }),
      /^INVALID_ARGUMENT "ftp:\/\/x" is not the address/,
    );
    assert.match(await failure(['node', 'show', 'nobody'], {}), /^NOT_FOUND there is no node nobody/);
    assert.match(await failure(['node', 'ls', '--state', 'odd'], {}), /^INVALID_ARGUMENT state: /);
    assert.match(await failure(['traffic', 'ls', '--by', 'planet'], {}), /^INVALID_ARGUMENT by: /);
    assert.match(await failure(['traffic', 'ls', '--since', 'yesterday'], {}), /^INVALID_ARGUMENT "yesterday" is not/);
    assert.match(await failure(['traffic', 'ls', '--since', '0s'], {}), /^INVALID_ARGUMENT "0s" is no time back/);
    assert.match(await failure(['report', '--month', 'May'], {}), /^INVALID_ARGUMENT month: /);
  });
});

/** As a scheduler has told it an hour ago. */
async function fillHistory(database: Database): Promise<void> {
  const atMs = Date.now();
  const figures = { originBytes: 2 ** 30, peerBytes: 9 * 2 ** 30, givenBytes: 5, downloads: 30, failures: 7 };
  const shares = (
    [
      ['node', 'drags'],
      ['zone', 'zone-b'],
      ['application', 'shop'],
      ['origin', 'origin.test'],
    ] as const
  ).map(([kind, name]) => ({ ...figures, clusterId: 1, kind, name, atMs }));
  await new ShareStore(database).add(shares);
  const ended = Distribution.fromPartial({
    number: 1,
    taskId: 'a'.repeat(64),
    url: 'http://origin.test/model.bin',
    contentLength: 2 ** 30,
    originBytes: 2 ** 30,
    peerBytes: 9 * 2 ** 30,
    startedAtMs: atMs - 4_000,
    endedAtMs: atMs,
    downloads: 30,
    failures: 2,
    lastNode: 'drags',
  });
  await new DistributionStore(database).add(1, '127.0.0.1:8002 5', [ended]);
}
