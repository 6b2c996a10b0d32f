/** A year of a busy cluster in the manager's database: what nodes, origins and applications got, and two hundred distributions a day. */
import { createHash } from 'node:crypto';
import type { Database } from '../../src/manager/db/database.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const minuteMs = 60_000;
const keptHours = 31 * 24;
const keptDays = 365;
const distributions = 70_000;
const rowsPerInsert = 500;
const namesOf: Readonly<Record<string, number>> = { application: 40, tag: 200, zone: 8, origin: 300 };

interface Span {
  readonly span: 'minute' | 'hour' | 'day';
  readonly lengthMs: number;
  readonly count: number;
}

const spans: readonly Span[] = [
  { span: 'minute', lengthMs: minuteMs, count: 1_440 },
  { span: 'hour', lengthMs: hourMs, count: keptHours },
  { span: 'day', lengthMs: dayMs, count: keptDays },
];

/** The figures are made up, their number is not: every node got something in every hour of the last month. */
export async function fillYear({ db }: Database, nodes: number): Promise<number> {
  const now = Date.now();
  let written = 0;
  const traffic = function* () {
    for (const { span, lengthMs, count } of spans)
      for (const at of beginnings(now, lengthMs, count)) yield { ...place(span, at), ...sums(at) };
  };
  const shares = function* () {
    for (const { span, lengthMs, count } of spans.slice(1))
      for (const [kind, names] of Object.entries({ ...namesOf, node: nodes }))
        for (const at of beginnings(now, lengthMs, count))
          for (let name = 0; name < names; name += 1)
            yield {
              ...place(span, at),
              kind,
              name: `${kind}-${name}`,
              given_bytes: 1e8,
              failures: 0,
              ...sums(at + name),
            };
  };
  const ended = function* () {
    for (let number = distributions; number > 0; number -= 1) yield distribution(number, now);
  };
  await insert('traffic', traffic());
  await insert('traffic_share', shares());
  await insert('distribution', ended());
  return written;

  async function insert(table: 'traffic' | 'traffic_share' | 'distribution', rows: Iterable<object>): Promise<void> {
    let part: object[] = [];
    for (const row of rows) if (part.push(row) === rowsPerInsert) await flush();
    if (part.length > 0) await flush();

    async function flush(): Promise<void> {
      await db
        .insertInto(table)
        .values(part as never)
        .execute();
      written += part.length;
      part = [];
    }
  }
}

function* beginnings(now: number, lengthMs: number, count: number): Generator<number> {
  const last = Math.floor(now / lengthMs) * lengthMs;
  for (let step = count - 1; step >= 0; step -= 1) yield last - step * lengthMs;
}

function place(span: string, at: number): object {
  return { scheduler_cluster_id: 1, span, at };
}

function sums(seed: number): object {
  return { origin_bytes: 1e6 + (seed % 9_973), peer_bytes: 1e8 + (seed % 99_991), downloads: 1 + (seed % 7) };
}

function distribution(number: number, now: number): object {
  const endedAt = now - Math.round((number / distributions) * keptDays * dayMs);
  const file = number % 5_000;
  return {
    scheduler_cluster_id: 1,
    scheduler: '127.0.0.1:8002',
    number,
    task_id: createHash('sha256').update(`${file}`).digest('hex'),
    url: `https://files.example.com/models/${file}/weights.safetensors`,
    tag: `tag-${number % 200}`,
    application: `application-${number % 40}`,
    content_length: 2e8,
    started_at: endedAt - 20_000,
    ended_at: endedAt,
    downloads: 200,
    failures: number % 97 === 0 ? 1 : 0,
    origin_bytes: 2e8,
    peer_bytes: 4e10,
    last_node: `node-${number % 4_999}`,
    slowest: 18_000,
    median: 11_000,
  };
}
