/** Who got how much in the past, how distributions went, and a month in one answer; through restarts, and bounded. */
// needs: postgres, initdb, mariadbd, mariadb-install-db
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Network } from '../../../gen/common/v2/common.ts';
import { Distribution, EndedDownload } from '../../../gen/scheduler/v2/live.ts';
import { Database } from '../../../src/manager/db/database.ts';
import { distributionKeptMs, downloadKeptMs, maxNamesPerStep, trafficKeptMs } from '../../../src/manager/limits.ts';
import { DistributionStore } from '../../../src/manager/traffic/distribution-store.ts';
import { DownloadStore } from '../../../src/manager/traffic/download-store.ts';
import { ShareStore, type ShareGrowth } from '../../../src/manager/traffic/share-store.ts';
import { spanMs } from '../../../src/manager/traffic/traffic-store.ts';
import { contentLength, pieceLength, SchedulerFixture, taskId } from '../../scheduler/fixture.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { databaseConfig, engineKinds, eventually } from '../support/engines.ts';
import { rootOf, startManager } from '../support/manager-fixture.ts';

const timeout = 180_000;

interface Figures {
  readonly origin_bytes: number;
  readonly peer_bytes: number;
  readonly given_bytes: number;
  readonly downloads: number;
  readonly failures: number;
}

interface Shares {
  readonly total: Figures;
  readonly before: Figures;
  readonly shares: readonly (Figures & { readonly name: string; readonly before: Figures })[];
}

interface NodeDownload {
  readonly task_id: string;
  readonly url: string;
  readonly succeeded: boolean;
  readonly origin_bytes: number;
  readonly peer_bytes: number;
  readonly sources: readonly { readonly host_name: string }[];
}

interface Recorded {
  readonly piece_count: number;
  readonly peers: readonly { readonly host_name: string; readonly idc: string; readonly ended_ms: number }[];
  readonly moves: readonly number[];
}

interface Ended {
  readonly id: number;
  readonly recorded: boolean;
  readonly task_id: string;
  readonly url: string;
  readonly application: string;
  readonly downloads: number;
  readonly copies: number;
  readonly last_node: string;
  readonly origin_bytes: number;
  readonly peer_bytes: number;
}

test(
  'what a distribution moved is told by application, zone, node and origin, and outlives a restart',
  { timeout },
  async () => {
    await using directory = await temporaryDirectory('df-history-');
    const database = databaseConfig({ sqlite: { path: join(directory.path, 'manager.db') } });
    {
      await using manager = await startManager(database);
      const root = await rootOf(manager);
      await using fixture = await SchedulerFixture.start(
        `manager: { addr: "127.0.0.1:${manager.grpcPort}", schedulerClusterID: 1 }`,
      );
      const near = await fixture.host({ network: Network.fromPartial({ idc: 'zone-a' }) });
      const far = await fixture.host({ network: Network.fromPartial({ idc: 'zone-b' }) });
      // It counts from the moment it listens.
      await eventually(async () => assert.equal((await root.ok<unknown[]>('GET', '/api/v1/nodes')).length, 2));
      const first = fixture.peer(near).register({ application: 'shop', tag: 'v1' });
      await first.expect('needBackToSourceResponse');
      first.metadata().finished(0b1111_1111).finished(0b11_0000_0000).done();
      while ((await first.next()) !== undefined);
      const second = fixture.peer(far).register({ application: 'shop', tag: 'v1' });
      await second.expect('normalTaskResponse');
      second.finished(0b1111_1111, first.id).finished(0b11_0000_0000, first.id);
      second.send({
        $case: 'downloadPieceFailedRequest',
        value: { parentId: first.id, pieceNumber: 3, temporary: true, notHeld: false },
      });
      second.done();

      const zones = await eventually(async () => {
        const found = await root.ok<Shares>('GET', '/api/v1/traffic/shares?by=zone');
        assert.deepEqual(
          found.shares.map(({ name, origin_bytes: origin, peer_bytes: peers }) => [name, origin, peers]),
          [
            ['zone-a', contentLength, 0],
            ['zone-b', 0, contentLength],
          ],
        );
        return found;
      });
      assert.deepEqual(
        [zones.total.origin_bytes, zones.total.peer_bytes, zones.total.downloads, zones.before.peer_bytes],
        [contentLength, contentLength, 2, 0],
      );
      const nodes = await root.ok<Shares>('GET', '/api/v1/traffic/shares?by=node&order=given');
      assert.deepEqual(
        nodes.shares.map(({ name, given_bytes: given, failures }) => [name, given, failures]),
        [
          ['host-1', contentLength, 1],
          ['host-2', 0, 0],
        ],
      );
      await eventually(async () => {
        const [ended, ...others] = await root.ok<Ended[]>('GET', '/api/v1/traffic/distributions');
        assert.ok(ended && others.length === 0);
        const { task_id: id, url, application, downloads, copies, last_node: last } = ended;
        assert.deepEqual(
          [id, url, application, downloads, copies, last],
          [taskId, 'http://origin.test/file', 'shop', 2, 1, 'host-2'],
        );
      });
      await eventually(async () => {
        const [got, ...others] = await root.ok<NodeDownload[]>('GET', `/api/v1/nodes/${far.id}/downloads`);
        assert.ok(got && others.length === 0);
        const { task_id: id, url, succeeded, origin_bytes: origin, peer_bytes: peers, sources } = got;
        assert.deepEqual(
          [id, url, succeeded, origin, peers, sources.map(({ host_name: name }) => name)],
          [taskId, 'http://origin.test/file', true, 0, contentLength, ['host-1']],
        );
      });
    }
    await using manager = await startManager(database);
    const root = await rootOf(manager);
    const [shop] = (await root.ok<Shares>('GET', '/api/v1/traffic/shares?by=application&name=shop')).shares;
    assert.deepEqual([shop?.origin_bytes, shop?.peer_bytes, shop?.downloads], [contentLength, contentLength, 2]);
    const steps = await root.ok<Figures[]>('GET', '/api/v1/traffic/shares/steps?by=tag&name=v1');
    assert.equal(
      steps.reduce((sum, { peer_bytes: bytes }) => sum + bytes, 0),
      contentLength,
    );
    const [listed] = await root.ok<Ended[]>('GET', '/api/v1/traffic/distributions');
    assert.equal(listed?.recorded, true);
    const recording = await root.ok<Recorded>('GET', `/api/v1/traffic/distributions/${listed.id}/recording`);
    assert.deepEqual(
      recording.peers.map(({ host_name: name, idc, ended_ms: end }) => [name, idc, end > 0]),
      [
        ['host-1', 'zone-a', true],
        ['host-2', 'zone-b', true],
      ],
    );
    const pieceCount = contentLength / pieceLength;
    assert.equal(recording.piece_count, pieceCount);
    assert.deepEqual(movedBetween(recording), { '> host-1': pieceCount, 'host-1 > host-2': pieceCount });
    const csv = await root.ok<string>('GET', '/api/v1/traffic/shares/csv?by=origin');
    assert.match(csv, new RegExp(`^origin,origin_bytes,.*\r\norigin.test,${contentLength},0,0,0,0,0,0,0,0,0\r\n$`));
    const report = await root.ok<Record<string, { name?: string; task_id?: string }[]>>(
      'GET',
      '/api/v1/traffic/report',
    );
    assert.deepEqual(
      ['applications', 'zones', 'nodes', 'dragging', 'origins', 'failing_origins'].map((part) =>
        report[part]?.map(({ name }) => name),
      ),
      [['shop'], ['zone-a', 'zone-b'], ['host-1', 'host-2'], ['host-1'], ['origin.test'], []],
    );
    assert.equal(report['tasks']?.[0]?.task_id, taskId);
    assert.equal(report['slowest']?.[0]?.task_id, taskId);
    for (const query of ['by=planet', 'by=zone&from_ms=5&to_ms=5', 'by=zone&limit=100000'])
      await assert.rejects(root.ok('GET', `/api/v1/traffic/shares?${query}`), /: 4(00|22) /);
    await assert.rejects(root.ok('GET', '/api/v1/traffic/report?month=2026-13'), /: 422 /);
  },
);

describe('what is kept of shares and distributions', { concurrency: true }, () => {
  for (const kind of engineKinds) {
    test(`is added up, compared, bounded and forgotten (${kind.name})`, { skip: kind.missing, timeout }, async () => {
      await using engine = await kind.start();
      await using database = await Database.open(await engine.newDatabase());
      const shares = new ShareStore(database);
      const now = Math.floor(Date.now() / spanMs.day) * spanMs.day + spanMs.hour;
      const grown = (name: string, atMs: number, peerBytes: number): ShareGrowth => ({
        clusterId: 1,
        kind: 'tag',
        name,
        atMs,
        originBytes: 1,
        peerBytes,
        givenBytes: 0,
        downloads: 1,
        failures: 0,
      });
      await shares.add([grown('a', now, 3e12), grown('a', now + 1, 1), grown('b', now, 5), grown('', now, 1)]);
      await shares.add([grown('a', now, 1), grown('b', now - 10 * spanMs.day, 9)]);
      const range = { kind: 'tag', fromMs: now - spanMs.day, toMs: now + spanMs.hour, clusterId: undefined } as const;
      const top = await shares.top(range, { order: 'bytes', limit: 2 });
      assert.deepEqual(
        top.map(({ name, originBytes, peerBytes, downloads }) => [name, originBytes, peerBytes, downloads]),
        [
          ['a', 3, 3e12 + 2, 3],
          ['b', 1, 5, 1],
        ],
      );
      const long = { ...range, fromMs: now - 20 * spanMs.day };
      assert.equal((await shares.named(long, ['b']))[0]?.peerBytes, 14);
      // Each day of some weeks: what is read of weeks and of the days beside them is as much as days tell.
      for (let day = 0; day < 40; day += 1)
        await shares.add([{ ...grown('each day', now - day * spanMs.day, 2 ** day), kind: 'zone' }]);
      for (const days of [3, 6, 7, 8, 13, 14, 15, 22, 39]) {
        const some = { ...range, kind: 'zone', fromMs: now - days * spanMs.day } as const;
        const told = await shares.steps(some, 'day', 'each day');
        const [sum] = await shares.named(some, ['each day']);
        assert.equal(
          sum?.peerBytes,
          told.reduce((bytes, { peerBytes }) => bytes + peerBytes, 0),
          `${days} days`,
        );
        assert.equal(sum?.downloads, days + 1);
      }
      assert.deepEqual(await shares.named({ ...range, clusterId: 2 }, ['b']), []);
      assert.equal((await shares.total(range)).downloads, 5);
      assert.deepEqual(
        (await shares.steps(range, 'hour', 'a')).map(({ atMs, downloads }) => [atMs, downloads]),
        [[now, 3]],
      );
      // Somebody who gives each download a tag of its own.
      const many = Array.from({ length: maxNamesPerStep + 50 }, (_none, index) => grown(`tag-${index}`, now, 1));
      await shares.add(many);
      await shares.add(many);
      const { count } = await database.db
        .selectFrom('traffic_share')
        .select((e) => e.fn.countAll().as('count'))
        .where('kind', '=', 'tag')
        .where('span', '=', 'hour')
        .where('at', '=', now)
        .executeTakeFirstOrThrow();
      assert.equal(Number(count), maxNamesPerStep + 1);
      assert.equal((await shares.named(range, ['*']))[0]?.downloads, 2 * 53);
      await shares.prune(now + trafficKeptMs.hour + spanMs.hour);
      assert.deepEqual(await shares.steps(range, 'hour', 'a'), []);
      assert.equal((await shares.steps(range, 'day', 'a')).length, 1);

      const distributions = new DistributionStore(database);
      const ended = (number: number, fields: Partial<Distribution> = {}): Distribution =>
        Distribution.fromPartial({
          number,
          taskId: `${number % 2}`.repeat(64),
          url: `http://origin.test/100%/${number}`,
          downloads: number,
          slowestMs: 100 - number,
          endedAtMs: now + number,
          ...fields,
        });
      const told = [ended(1), ended(2), ended(3, { application: 'shop', downloads: 30 })];
      await distributions.add(1, '127.0.0.1:8002 5', told);
      await distributions.add(1, '127.0.0.1:8002 5', [...told, ended(4)]);
      await distributions.add(1, '127.0.0.1:8002 9', [ended(1, { endedAtMs: now - distributionKeptMs })]);
      const numbers = async (...given: Parameters<typeof distributions.list>): Promise<number[]> =>
        (await distributions.list(...given)).rows.map(({ number }) => Number(number));
      const page = { page: 1, perPage: 10 };
      assert.deepEqual(await numbers({ fromMs: now }, 'ended', page), [4, 3, 2, 1]);
      assert.deepEqual(await numbers({ fromMs: now }, 'slowest', { page: 2, perPage: 2 }), [3, 4]);
      assert.deepEqual(await numbers({ application: 'shop' }, 'downloads', page), [3]);
      assert.deepEqual(await numbers({ url: '0%/2' }, 'ended', page), [2]);
      assert.deepEqual(await numbers({ url: '0_/2' }, 'ended', page), []);
      assert.deepEqual(await numbers({ taskId: '00' }, 'ended', page), [4, 2]);
      const [hot] = await distributions.hot({}, 1);
      assert.deepEqual([hot?.taskId, hot?.distributions, hot?.downloads], ['1'.repeat(64), 3, 32]);
      await distributions.prune(now + 1);
      assert.equal((await distributions.list({}, 'ended', page)).total, 4);
    });

    test(
      `the downloads of a node are kept once, and for a month (${kind.name})`,
      { skip: kind.missing, timeout },
      async () => {
        await using engine = await kind.start();
        await using database = await Database.open(await engine.newDatabase());
        const downloads = new DownloadStore(database);
        const now = Date.now();
        const ended = (number: number, hostId: string, endedAtMs = now + number): EndedDownload =>
          EndedDownload.fromPartial({
            number,
            hostId,
            endedAtMs,
            taskId: 'a'.repeat(64),
            succeeded: number !== 2,
            peerBytes: 2 ** 40,
            sources: [{ hostName: 'seed-1', pieces: 7 }],
          });
        const first = [ended(1, 'one'), ended(2, 'one'), ended(3, 'two')];
        await downloads.add(1, '127.0.0.1:8002 5', first);
        // A manager that starts anew is told all of it again.
        await downloads.add(1, '127.0.0.1:8002 5', [...first, ended(4, 'one')]);
        await downloads.add(2, '127.0.0.1:8002 9', [ended(1, 'one', now - downloadKeptMs)]);
        const page = { page: 1, perPage: 10 };
        const { rows, total } = await downloads.list('one', 1, page);
        assert.equal(total, 3);
        assert.deepEqual(
          rows.map(({ number, succeeded, peer_bytes: bytes, sources }) => [
            Number(number),
            Number(succeeded),
            Number(bytes),
            sources,
          ]),
          [4, 2, 1].map((number) => [number, number === 2 ? 0 : 1, 2 ** 40, [{ host_name: 'seed-1', pieces: 7 }]]),
        );
        assert.equal((await downloads.list('one', undefined, page)).total, 4);
        await downloads.prune(now + 1);
        assert.equal((await downloads.list('one', undefined, page)).total, 3);
      },
    );
  }
});

test('a year of history is told at once', { timeout }, async () => {
  await using manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }));
  const root = await rootOf(manager);
  await fillYear(manager.database);
  for (const path of yearOf(Date.now())) await root.ok('GET', path);
});

function yearOf(nowMs: number): string[] {
  const year = `from_ms=${nowMs - 365 * spanMs.day}`;
  return [
    `/api/v1/traffic?span=day&${year}`,
    ...['node', 'application', 'zone'].map((by) => `/api/v1/traffic/shares?by=${by}&${year}`),
    `/api/v1/traffic/distributions?${year}&sort=slowest`,
    `/api/v1/traffic/tasks?${year}`,
    '/api/v1/traffic/report',
  ];
}

/** Days of a year of 100 nodes and 20 applications, and some distributions each day. */
async function fillYear(database: Database): Promise<void> {
  const shares = new ShareStore(database);
  const distributions = new DistributionStore(database);
  const today = Math.floor(Date.now() / spanMs.day) * spanMs.day;
  const figures = { clusterId: 1, originBytes: 1e9, peerBytes: 9e9, givenBytes: 9e9, downloads: 100, failures: 0 };
  for (let day = 0; day < 365; day += 30) {
    const atMs = today - day * spanMs.day;
    const named = (kind: ShareGrowth['kind'], count: number): ShareGrowth[] =>
      Array.from({ length: count }, (_none, index) => ({ ...figures, kind, name: `${kind}-${index}`, atMs }));
    await shares.add([...named('node', 100), ...named('application', 20), ...named('zone', 3)]);
    const ended = Array.from({ length: 20 }, (_none, index) =>
      Distribution.fromPartial({ number: day * 100 + index, taskId: `${index}`, endedAtMs: atMs, downloads: 100 }),
    );
    await distributions.add(1, '127.0.0.1:8002 5', ended);
  }
}

/** Pieces by who gave them, nobody for the origin, and who got them. */
function movedBetween({ peers, moves }: Recorded): Record<string, number> {
  const sums: Record<string, number> = {};
  for (let at = 0; at < moves.length; at += 4) {
    const [, child = 0, parent = 0, pieces = 0] = moves.slice(at, at + 4);
    const key = `${parent === 0 ? '' : `${peers[parent - 1]?.host_name} `}> ${peers[child]?.host_name}`;
    sums[key] = (sums[key] ?? 0) + pieces;
  }
  return sums;
}
