/**
 * One end of the transport benchmark, in a process of its own.
 *
 *   node bench/transport/peer.ts parent DIRECTORY CONTENT_FILE ADDRESS tls|plain
 *   node bench/transport/peer.ts child DIRECTORY ADDRESS PORT BYTES tls|plain [discard]
 *
 * It prints one JSON object per line: the parent its port, the child one result per line read from standard input.
 * Both answer `usage` on standard input with what they have spent so far.
 */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { defaultPieceLength, pieceSpan } from '../../src/core/piece-layout.ts';
import { RateLimiter } from '../../src/core/rate-limiter.ts';
import type { StoredTask } from '../../src/dfdaemon/storage/stored-task.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { PieceClient } from '../../src/dfdaemon/transport/piece-client.ts';
import { PieceServer } from '../../src/dfdaemon/transport/piece-server.ts';
import type { TransportTls } from '../../src/dfdaemon/transport/tls-policy.ts';

const taskId = 'ab'.repeat(32);
const identity = { url: 'http://bench/content' };
const requestsAtOnce = 8;

interface Address {
  readonly host: string;
  readonly port: number;
}

interface Usage {
  cpuSeconds: number;
  maxRssBytes: number;
  loopDelayP99Ms: number;
}

const [role = '', directory = '', ...rest] = process.argv.slice(2);
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
if (role === 'parent') await parent(rest[0] ?? '', rest[1] ?? '', rest[2] === 'tls');
else {
  const [host = '', port, bytes, mode, discard] = rest;
  await child({ host, port: Number(port) }, Number(bytes), mode === 'tls', discard === 'discard');
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const p99 = delay.percentile(99) / 1e6;
  delay.reset();
  return { cpuSeconds: (user + system) / 1e6, maxRssBytes: process.resourceUsage().maxRSS * 1024, loopDelayP99Ms: p99 };
}

async function tlsOptions(): Promise<TransportTls> {
  const cert = await readFile(join(directory, '..', '..', 'cert.pem'));
  const key = await readFile(join(directory, '..', '..', 'key.pem'));
  return { policy: 'force', cert, key, ca: cert, servername: 'localhost' };
}

async function parent(contentFile: string, host: string, secured: boolean): Promise<void> {
  const store = await TaskStore.open({ directory });
  const task = store.open(taskId, identity);
  if (task.state !== 'finished') await fill(task, contentFile);
  const server = await PieceServer.create({
    store,
    limiter: new RateLimiter(Infinity),
    host,
    port: 0,
    ...(secured && { tls: await tlsOptions() }),
  });
  print({ port: server.port });
  for await (const line of createInterface(process.stdin)) if (line === 'usage') print(usage());
  await server[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
}

async function fill(task: StoredTask, contentFile: string): Promise<void> {
  const bytes = (await readFile(`${contentFile}.size`, 'utf8')).trim();
  task.setLayout({ contentLengthBytes: Number(bytes), pieceLengthBytes: defaultPieceLength(Number(bytes)) });
  const { layout } = task;
  if (!layout) return;
  for (let number = 0; number < layout.pieceCount; number += 1) {
    const { offset, length } = pieceSpan(layout, number);
    const writer = task.writePiece(number);
    for await (const chunk of createReadStream(contentFile, {
      start: offset,
      end: offset + length - 1,
      highWaterMark: 2 ** 20,
    })) {
      await writer.write(chunk as Buffer);
    }
    await writer.commit({ source: 'origin', costMs: 0 });
  }
  task.finish();
}

async function child(parent: Address, bytes: number, secured: boolean, discard: boolean): Promise<void> {
  const store = await TaskStore.open({ directory, keepStorage: false });
  const client = PieceClient.create({
    limiter: new RateLimiter(Infinity),
    ...(secured && { tls: await tlsOptions() }),
  });
  for await (const line of createInterface(process.stdin)) {
    if (line === 'usage') print(usage());
    else if (line === 'fetch') print({ seconds: await fetchAll(store, client, parent, bytes) });
    else if (line === 'remove') {
      store.remove(taskId);
      await store.removalsDone();
      print({});
    }
  }
  if (!discard) store.remove(taskId);
  await client[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
}

async function fetchAll(store: TaskStore, client: PieceClient, parent: Address, bytes: number): Promise<number> {
  const startedMs = performance.now();
  const task = store.open(taskId, identity);
  task.setLayout({ contentLengthBytes: bytes, pieceLengthBytes: defaultPieceLength(bytes) });
  const { layout } = task;
  if (!layout) return 0;
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < layout.pieceCount) {
      const piece = pieceSpan(layout, next++);
      await client.fetch({
        address: { ...parent, persistent: true, tls: true },
        taskId,
        piece,
        writer: task.writePiece(piece.number),
        parentId: 'parent',
        signal: AbortSignal.timeout(120_000),
      });
    }
  };
  await Promise.all(Array.from({ length: requestsAtOnce }, work));
  task.finish();
  return (performance.now() - startedMs) / 1000;
}

function print(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
