/** A store with content, a client with an empty store, and a parent that says whatever a test wants. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { crc32 } from 'node:zlib';
import { pieceSpan } from '../../src/core/piece-layout.ts';
import { RateLimiter } from '../../src/core/rate-limiter.ts';
import type { StoredTask } from '../../src/dfdaemon/storage/stored-task.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import type { PieceAddress } from '../../src/dfdaemon/transport/piece-request.ts';
import type { FetchResult } from '../../src/dfdaemon/transport/piece-client.ts';
import { PieceClient, type PieceClientOptions } from '../../src/dfdaemon/transport/piece-client.ts';
import { PieceServer, type PieceServerOptions } from '../../src/dfdaemon/transport/piece-server.ts';
import { encodePieceHead, requestBytes, tags, type PieceHead } from '../../src/dfdaemon/transport/vortex.ts';
import { contentBytes, scratchDirectory, storeContent, taskIdOf } from '../storage/fixtures.ts';

export const pieceLengthBytes = 4 * 2 ** 20;
export const taskId = taskIdOf('transported');
export const unlimited = (): RateLimiter => new RateLimiter(Infinity);

/** A server of one finished task. */
export async function startParent(
  t: TestContext,
  content: Buffer,
  options: Partial<PieceServerOptions> = {},
): Promise<{ store: TaskStore; server: PieceServer; task: StoredTask }> {
  const store = await TaskStore.open({ directory: scratchDirectory(t) });
  t.after(() => store[Symbol.asyncDispose]());
  const task = store.open(taskId, { url: 'http://origin/x' });
  await storeContent(task, content, { pieceLengthBytes });
  const server = await PieceServer.create({ store, limiter: unlimited(), host: '127.0.0.1', port: 0, ...options });
  t.after(() => server[Symbol.asyncDispose]());
  return { store, server, task };
}

export class Child {
  readonly store: TaskStore;
  readonly client: PieceClient;
  readonly task: StoredTask;

  /** A client with an empty store that knows how the content is cut. */
  static async create(
    t: TestContext,
    contentLengthBytes: number,
    options: Partial<PieceClientOptions> = {},
  ): Promise<Child> {
    const store = await TaskStore.open({ directory: scratchDirectory(t) });
    t.after(() => store[Symbol.asyncDispose]());
    const client = PieceClient.create({ limiter: unlimited(), ...options });
    t.after(() => client[Symbol.asyncDispose]());
    const task = store.open(taskId, { url: 'http://origin/x' });
    task.setLayout({ contentLengthBytes, pieceLengthBytes });
    return new Child(store, client, task);
  }

  private constructor(store: TaskStore, client: PieceClient, task: StoredTask) {
    this.store = store;
    this.client = client;
    this.task = task;
  }

  /** Fetches one piece; when that fails the piece is free again afterwards. */
  async fetch(
    number: number,
    port: number,
    options: {
      persistent?: boolean;
      streamed?: boolean;
      imported?: PieceAddress['imported'];
      tls?: boolean;
      signal?: AbortSignal;
      timeoutMs?: number;
    } = {},
  ): Promise<FetchResult> {
    assert(this.task.layout);
    const writer = this.task.writePiece(number);
    try {
      return await this.client.fetch({
        address: {
          host: '127.0.0.1',
          port,
          persistent: options.persistent ?? true,
          streamed: options.streamed ?? false,
          imported: options.imported,
          tls: options.tls ?? false,
        },
        taskId,
        piece: pieceSpan(this.task.layout, number),
        writer,
        parentId: 'parent',
        signal: options.signal ?? AbortSignal.timeout(120_000),
        timeoutMs: options.timeoutMs,
      });
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }
}

/** Listens and hands every connection to the script. Returns the port and counts connections. */
export async function startScript(
  t: TestContext,
  script: (socket: Socket, connection: number) => void,
): Promise<{ port: number; connections: () => number }> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    script(socket, connections);
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

/** Calls back with the piece number of each request that comes in. */
export function onRequests(socket: Socket, answer: (number: number) => void): void {
  let pending = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= requestBytes) {
      answer(pending.readUInt32BE(requestBytes - 4));
      pending = pending.subarray(requestBytes);
    }
  });
}

/** The true answer of a parent, with whatever a test changes about it. */
export function answerFrame(
  content: Buffer,
  number: number,
  lies: Partial<PieceHead> = {},
  tag: number = tags.pipelinedContent,
): Buffer {
  const bytes = content.subarray(number * pieceLengthBytes, (number + 1) * pieceLengthBytes);
  const head: PieceHead = {
    number,
    offset: number * pieceLengthBytes,
    length: bytes.length,
    digest: `crc32:${crc32(bytes)}`,
    parentId: 'somebody',
    costMs: 5000,
    createdMs: 1_700_000_000_000,
    ...lies,
  };
  return Buffer.concat([encodePieceHead(tag, head), bytes]);
}

/** A raw connection that collects what it gets. */
export class RawClient {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  #received: Buffer[] = [];
  #length = 0;
  #wake: (() => void) | undefined;

  static async connect(t: TestContext, port: number): Promise<RawClient> {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    await once(socket, 'connect');
    t.after(() => socket.destroy());
    return new RawClient(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      for (const event of ['end', 'close']) socket.once(event, resolve);
    });
    void this.closed.then(() => this.#wake?.());
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      this.#received.push(chunk);
      this.#length += chunk.length;
      this.#wake?.();
    });
  }

  get received(): Buffer {
    return Buffer.concat(this.#received);
  }

  /** Waits until at least so many bytes have come, or the server has ended. */
  async bytes(count: number): Promise<Buffer> {
    let ended = false;
    void this.closed.then(() => (ended = true));
    while (this.#length < count && !ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.received;
  }
}

export function transportContent(length: number): Buffer {
  return contentBytes(length, 11);
}
