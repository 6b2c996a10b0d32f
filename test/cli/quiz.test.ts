/**
 * Thirty questions of operators about incidents that were recorded. Each is asked at the API, as the console does, of `dfctl --json`
 * and of the tools that agents have: the three answers are the same, and right.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { runDfctl } from '../../src/cli/dfctl/dfctl.ts';
import type { Database } from '../../src/manager/db/database.ts';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { DistributionStore } from '../../src/manager/traffic/distribution-store.ts';
import { ShareStore, type ShareGrowth, type ShareKind } from '../../src/manager/traffic/share-store.ts';
import { Disk, Network } from '../../gen/common/v2/common.ts';
import { Distribution } from '../../gen/scheduler/v2/live.ts';
import { databaseConfig, eventually } from '../manager/support/engines.ts';
import { rootOf, startManager } from '../manager/support/manager-fixture.ts';
import type { RestClient } from '../manager/support/rest-client.ts';
import { SchedulerFixture } from '../scheduler/fixture.ts';
import { productCommand } from '../support/product.ts';
import { runTool } from './tool-io.ts';

type Row = Readonly<Record<string, unknown>>;

interface Question {
  readonly asks: string;
  readonly of: Source;
  readonly answer: (rows: readonly Row[]) => unknown;
  readonly is: unknown;
}

/** One thing to look at, by three ways. */
interface Source {
  readonly rest: (root: RestClient) => Promise<readonly Row[]>;
  readonly dfctl: readonly string[];
  readonly tool: readonly [string, Row];
}

const gib = 2 ** 30;
const dayMs = 86_400_000;
const weekAgo = (): number => Date.now() - 7 * dayMs;

const nodes: Source = {
  rest: async (root) => {
    const [all, concerns] = await Promise.all([
      root.ok<Row[]>('GET', '/api/v1/nodes?sort=uploads&per_page=100'),
      root.ok<Row[]>('GET', '/api/v1/concerns'),
    ]);
    return [{ nodes: all, concerns }];
  },
  dfctl: ['top', '--json'],
  tool: ['list_nodes', {}],
};

function node(name: string): Source {
  return {
    rest: async (root) => {
      const [found] = await root.ok<{ id: string }[]>('GET', `/api/v1/nodes?search=${name}`);
      return [await root.ok<Row>('GET', `/api/v1/nodes/${found?.id}`)];
    },
    dfctl: ['node', 'show', name, '--json'],
    tool: ['show_node', { name }],
  };
}

function traffic(by: ShareKind, { sort = 'bytes', name }: { sort?: string; name?: string } = {}): Source {
  return {
    rest: async (root) => {
      const named = name === undefined ? '' : `&name=${name}`;
      const path = `/api/v1/traffic/shares?by=${by}&order=${sort}${named}&from_ms=${weekAgo()}`;
      const { shares, total, before: earlier } = await root.ok<{ shares: Row[]; total: Row; before: Row }>('GET', path);
      return [...shares, { total, before: earlier }];
    },
    dfctl: ['traffic', 'ls', '--json', '--by', by, '--sort', sort, ...(name === undefined ? [] : ['--name', name])],
    tool: ['traffic', { by, sort, ...(name === undefined ? {} : { name }) }],
  };
}

function distributions(sort: string, filter: { task?: string; url?: string } = {}): Source {
  const query = [
    ...(filter.task === undefined ? [] : [`task_id=${filter.task}`]),
    ...(filter.url === undefined ? [] : [`url=${filter.url}`]),
  ];
  return {
    rest: (root) =>
      root.ok<Row[]>(
        'GET',
        `/api/v1/traffic/distributions?${['sort=' + sort, `from_ms=${weekAgo()}`, ...query].join('&')}`,
      ),
    dfctl: [
      'distribution',
      'ls',
      '--json',
      '--sort',
      sort,
      ...Object.entries(filter).flatMap(([flag, value]) => [`--${flag}`, value]),
    ],
    tool: ['distributions', { sort, ...filter }],
  };
}

const hot: Source = {
  rest: (root) => root.ok<Row[]>('GET', `/api/v1/traffic/tasks?from_ms=${weekAgo()}`),
  dfctl: ['distribution', 'top', '--json'],
  tool: ['hot_content', {}],
};

const month = new Date().toISOString().slice(0, 7);
const report: Source = {
  rest: async (root) => [await root.ok<Row>('GET', `/api/v1/traffic/report?month=${month}`)],
  dfctl: ['report', '--json', '--month', month],
  tool: ['report', { month }],
};

const listIn = (row: Row | undefined, key: string): readonly Row[] => (row?.[key] ?? []) as readonly Row[];
const first = (key: string) => (rows: readonly Row[]) => rows[0]?.[key];
const named = (of: 'nodes' | 'concerns', condition: (row: Row) => boolean, key: string) => (rows: readonly Row[]) =>
  listIn(rows[0], of)
    .filter(condition)
    .map((row) => row[key]);
const last = (rows: readonly Row[]): Record<'total' | 'before', Row> => rows.at(-1) as Record<'total' | 'before', Row>;
const part = (key: string, inner: string) => (rows: readonly Row[]) => listIn(rows[0], key)[0]?.[inner];

const questions: readonly Question[] = [
  {
    asks: 'Which nodes are lost?',
    of: nodes,
    answer: named('nodes', ({ state }) => state === 'lost', 'host_name'),
    is: ['host-3'],
  },
  { asks: 'Why is it lost?', of: node('host-3'), answer: first('reason'), is: 'stream' },
  {
    asks: 'What was it before?',
    of: node('host-3'),
    answer: ([row]) => listIn(row, 'log')[1]?.['state'],
    is: 'online',
  },
  {
    asks: 'Which node wants attention, and for what?',
    of: nodes,
    answer: (rows) => [named('concerns', () => true, 'name')(rows), named('concerns', () => true, 'kind')(rows)],
    is: [
      ['host-3', 'host-2'],
      ['node-lost', 'disk-full'],
    ],
  },
  {
    asks: 'What is to be done about the full disk?',
    of: nodes,
    answer: named('concerns', ({ kind }) => kind === 'disk-full', 'advice'),
    is: ['Free space there, or lower storage.diskGCThresholdPercent so that dfdaemon gives back its own sooner.'],
  },
  {
    asks: 'Does somebody take care of it?',
    of: nodes,
    answer: named('concerns', ({ kind }) => kind === 'disk-full', 'acknowledged_by'),
    is: ['root'],
  },
  {
    asks: 'Which nodes are seeds?',
    of: nodes,
    answer: named('nodes', ({ type }) => type === 'seed', 'host_name'),
    is: ['host-1'],
  },
  {
    asks: 'How many nodes are online?',
    of: nodes,
    answer: (rows) => named('nodes', ({ state }) => state === 'online', 'id')(rows).length,
    is: 2,
  },
  { asks: 'Which zone is host-2 in?', of: node('host-2'), answer: first('idc'), is: 'zone-b' },
  { asks: 'How much disk has host-2 left?', of: node('host-2'), answer: first('disk_free'), is: 10 },
  {
    asks: 'How much did we save last week in zone b?',
    of: traffic('zone', { name: 'zone-b' }),
    answer: first('peer_bytes'),
    is: 90 * gib,
  },
  {
    asks: 'What did zone b get from the origin?',
    of: traffic('zone', { name: 'zone-b' }),
    answer: first('origin_bytes'),
    is: 10 * gib,
  },
  {
    asks: 'And in the week before?',
    of: traffic('zone', { name: 'zone-b' }),
    answer: ([row]) => (row?.['before'] as Row | undefined)?.['origin_bytes'],
    is: 5 * gib,
  },
  {
    asks: 'How much did we save in all?',
    of: traffic('zone'),
    answer: (rows) => last(rows).total['peer_bytes'],
    is: 120 * gib,
  },
  {
    asks: 'Was that more than before?',
    of: traffic('zone'),
    answer: (rows) => last(rows).before['peer_bytes'],
    is: 20 * gib,
  },
  { asks: 'Which zone got most?', of: traffic('zone'), answer: first('name'), is: 'zone-b' },
  { asks: 'Which application got most?', of: traffic('application'), answer: first('name'), is: 'training' },
  {
    asks: 'How many downloads of the shop failed?',
    of: traffic('application', { name: 'shop' }),
    answer: first('failures'),
    is: 3,
  },
  {
    asks: 'What came under no tag at all?',
    of: traffic('tag', { name: '' }),
    answer: first('peer_bytes'),
    is: 7 * gib,
  },
  { asks: 'Which node drags?', of: traffic('node', { sort: 'failures' }), answer: first('name'), is: 'host-2' },
  {
    asks: 'Which node went to the origin most?',
    of: traffic('node'),
    answer: (rows) =>
      rows.slice(0, -1).toSorted((a, b) => Number(b['origin_bytes']) - Number(a['origin_bytes']))[0]?.['name'],
    is: 'host-1',
  },
  { asks: 'Which node gave most?', of: traffic('node', { sort: 'given' }), answer: first('name'), is: 'host-1' },
  {
    asks: 'Which origin fails?',
    of: traffic('origin', { sort: 'failures' }),
    answer: (rows) => [rows[0]?.['name'], rows[0]?.['failures']],
    is: ['flaky.test', 40],
  },
  {
    asks: 'Which distribution was the slowest?',
    of: distributions('slowest'),
    answer: first('url'),
    is: 'http://flaky.test/old.tar',
  },
  {
    asks: 'Which node dragged task a?',
    of: distributions('ended', { task: 'aaaa' }),
    answer: first('last_node'),
    is: 'host-2',
  },
  {
    asks: 'How long did the model take to the last node?',
    of: distributions('ended', { url: 'model' }),
    answer: ([row]) => Number(row?.['ended_at_ms']) - Number(row?.['started_at_ms']),
    is: 90_000,
  },
  {
    asks: 'How many copies of the model did the origin send?',
    of: distributions('ended', { url: 'model' }),
    answer: first('copies'),
    is: 1.25,
  },
  { asks: 'What is asked for most?', of: hot, answer: first('url'), is: 'http://models.test/model.bin' },
  {
    asks: 'Which node is to be looked at, by the report of the month?',
    of: report,
    answer: part('dragging', 'name'),
    is: 'host-2',
  },
  { asks: 'And which origin?', of: report, answer: part('failing_origins', 'name'), is: 'flaky.test' },
];

describe('questions of operators', { timeout: 180_000 }, () => {
  let manager: ManagerService;
  let scheduler: SchedulerFixture;
  let root: RestClient;
  let env: Record<string, string>;
  let agent: Client;

  before(async () => {
    manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }));
    root = await rootOf(manager);
    const token = { name: 'quiz', scopes: ['cluster'], expired_at: '2099-01-01T00:00:00Z', user_id: 1 };
    const { token: value } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', token);
    env = { DFCTL_MANAGER: `127.0.0.1:${manager.restPort}`, DFCTL_TOKEN: value };
    await recordTraffic(manager.database);
    scheduler = await SchedulerFixture.start(
      `manager: { addr: "127.0.0.1:${manager.grpcPort}", schedulerClusterID: 1 }`,
      { heldHostGraceMs: 50 },
    );
    await recordNodes(scheduler, root);
    const [command, ...args] = [...productCommand('dragonfly'), 'mcp'] as [string, ...string[]];
    agent = new Client({ name: 'quiz', version: '1' });
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([, text]) => text !== undefined));
    await agent.connect(
      new StdioClientTransport({ command, args, env: { ...(inherited as Record<string, string>), ...env } }),
    );
  });
  after(async () => {
    await agent?.close();
    await scheduler?.[Symbol.asyncDispose]();
    await manager?.[Symbol.asyncDispose]();
  });

  async function byDfctl(argv: readonly string[]): Promise<readonly Row[]> {
    const { stdout, error } = await runTool(runDfctl, [...argv], { env });
    assert.equal(error, undefined);
    return linesOf(stdout.toString());
  }

  async function byAgent([name, input]: Source['tool']): Promise<readonly Row[]> {
    const { content } = await agent.callTool({ name, arguments: input });
    const [text] = content;
    assert.equal(text?.type, 'text');
    return linesOf(text.text);
  }

  test('there are thirty', () => assert.equal(questions.length, 30));
  for (const { asks, of, answer, is } of questions) {
    test(asks, async () => {
      assert.deepEqual(answer(await of.rest(root)), is, 'by the API');
      assert.deepEqual(answer(await byDfctl(of.dfctl)), is, 'by dfctl');
      assert.deepEqual(answer(await byAgent(of.tool)), is, 'by an agent’s tool');
    });
  }
});

function linesOf(text: string): Row[] {
  const lines = text.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Row);
}

/** A seed, a node whose disk is full, and one whose connection broke; somebody takes care of the disk. */
async function recordNodes(scheduler: SchedulerFixture, root: RestClient): Promise<void> {
  await scheduler.host({ type: 1, network: Network.fromPartial({ idc: 'zone-a' }) });
  const disk = Disk.fromPartial({ total: 1000, free: 10 });
  await scheduler.host({ disk, network: Network.fromPartial({ idc: 'zone-b' }) });
  const dying = await scheduler.host({ network: Network.fromPartial({ idc: 'zone-b' }) });
  const held = new AbortController();
  const holding = scheduler.client.holdHost({ hostId: dying.id }, { signal: held.signal })[Symbol.asyncIterator]();
  await holding.next();
  const kinds = async (): Promise<Row[]> => root.ok<Row[]>('GET', '/api/v1/concerns');
  const full = await eventually(async () => {
    const found = (await kinds()).find(({ kind }) => kind === 'disk-full');
    assert.ok(found);
    return found;
  });
  await root.ok('POST', '/api/v1/concerns/acknowledge', { ids: [full['id']] });
  held.abort();
  await eventually(async () => assert.equal((await kinds()).length, 2));
}

async function recordTraffic(database: Database): Promise<void> {
  const now = Date.now();
  const figures = { clusterId: 1, originBytes: 0, peerBytes: 0, givenBytes: 0, downloads: 1, failures: 0 };
  const grown = (kind: ShareKind, name: string, fields: Partial<ShareGrowth>): ShareGrowth => ({
    ...figures,
    kind,
    name,
    atMs: now,
    ...fields,
  });
  await new ShareStore(database).add([
    grown('zone', 'zone-a', { originBytes: 2 * gib, peerBytes: 30 * gib }),
    grown('zone', 'zone-b', { originBytes: 10 * gib, peerBytes: 90 * gib }),
    grown('zone', 'zone-b', { originBytes: 5 * gib, peerBytes: 20 * gib, atMs: now - 10 * dayMs }),
    grown('application', 'shop', { peerBytes: 20 * gib, failures: 3 }),
    grown('application', 'training', { peerBytes: 100 * gib }),
    grown('tag', '', { peerBytes: 7 * gib }),
    grown('node', 'host-1', { originBytes: 12 * gib, givenBytes: 100 * gib }),
    grown('node', 'host-2', { peerBytes: 60 * gib, givenBytes: 20 * gib, failures: 25 }),
    grown('node', 'host-3', { peerBytes: 60 * gib, failures: 1 }),
    grown('origin', 'models.test', { originBytes: 10 * gib }),
    grown('origin', 'flaky.test', { originBytes: 2 * gib, failures: 40 }),
  ]);
  const ended = (number: number, fields: Partial<Distribution>): Distribution =>
    Distribution.fromPartial({
      number,
      startedAtMs: now - 100_000 - number,
      endedAtMs: now - 10_000 - number,
      ...fields,
    });
  await new DistributionStore(database).add(1, '127.0.0.1:8002 5', [
    ended(1, {
      taskId: 'a'.repeat(64),
      url: 'http://models.test/model.bin',
      contentLength: 8 * gib,
      originBytes: 10 * gib,
      peerBytes: 100 * gib,
      downloads: 300,
      slowestMs: 85_000,
      startedAtMs: now - 100_000,
      endedAtMs: now - 10_000,
      lastNode: 'host-2',
    }),
    ended(2, {
      taskId: 'b'.repeat(64),
      url: 'http://flaky.test/old.tar',
      contentLength: gib,
      originBytes: 2 * gib,
      downloads: 2,
      slowestMs: 86_000,
      failures: 40,
      lastNode: 'host-3',
    }),
  ]);
}
