/** HTTP by hand, for tests of what node:http would tidy up: clients and origins that send and see bytes. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** Text whose characters are bytes (Latin-1), as everything here. */
export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

export interface RawRequest {
  readonly head: string;
  readonly body: string;
  readonly socket: Socket;
  /** How many requests this connection has brought, this one included. */
  readonly number: number;
}

export interface RawOrigin extends AsyncDisposable {
  readonly host: string;
  readonly url: string;
  readonly seen: RawRequest[];
}

/** Called for each request when its header is there, with what has come of its body; `whole` when all of it has. */
export type RawHandler = (request: RawRequest, whole: boolean) => string | Buffer | undefined;

/** Answers what the handler gives; understands requests with a length and in chunks. */
export async function rawOrigin(handler: RawHandler, tls?: TlsOptions): Promise<RawOrigin> {
  const seen: RawRequest[] = [];
  const open = new Set<Socket>();
  const serve = (socket: Socket): void => {
    open.add(socket);
    socket.on('error', () => undefined).once('close', () => open.delete(socket));
    socket.once('end', () => socket.end());
    let text = '';
    let number = 0;
    let announced = 0;
    socket.on('data', (block) => {
      text += block.toString('latin1');
      for (;;) {
        const parsed = parseRequest(text);
        if (!parsed) return;
        const request = { head: parsed.head, body: parsed.body, socket, number: number + 1 };
        const say = (answer: string | Buffer | undefined): void => {
          if (answer !== undefined) socket.write(typeof answer === 'string' ? bytes(answer) : answer);
        };
        if (announced === number) {
          announced += 1;
          if (!parsed.whole) say(handler(request, false));
        }
        if (!parsed.whole) return;
        number += 1;
        text = text.slice(parsed.length);
        seen.push(request);
        say(handler(request, true));
      }
    });
  };
  const server = tls
    ? createTlsServer({ ...tls, allowHalfOpen: true }, serve)
    : createServer({ allowHalfOpen: true }, serve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `${tls ? 'https' : 'http'}://${host}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Parsed {
  readonly head: string;
  readonly body: string;
  readonly whole: boolean;
  /** Of the whole request. */
  readonly length: number;
}

function parseRequest(text: string): Parsed | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = text.slice(0, end + 2);
  const rest = text.slice(end + 4);
  if (/\r\ntransfer-encoding: *chunked\r\n/i.test(head)) {
    const body = /^(?:[0-9a-f]+(?:;.*)?\r\n(?!\r\n)[^]*?\r\n)*?0(?:;.*)?\r\n(?:[^\r\n]+\r\n)*\r\n/i.exec(rest)?.[0];
    return { head, body: body ?? rest, whole: body !== undefined, length: end + 4 + (body?.length ?? 0) };
  }
  const length = Number(/\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1] ?? 0);
  return { head, body: rest.slice(0, length), whole: rest.length >= length, length: end + 4 + length };
}

export interface RawClient extends Disposable {
  readonly socket: Socket;
  send(text: string | Buffer): void;
  /** Everything received so far, once it matches; rejects after the deadline with what there is. */
  until(expected: RegExp): Promise<string>;
  /** Everything, once the server has closed. */
  end(): Promise<string>;
}

const deadlineMs = 5_000;

export async function rawClient(port: number): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  return rawClientOn(socket);
}

/** Over a connection that is there already, a tunnel say. */
export function rawClientOn(socket: Socket): RawClient {
  let text = '';
  let closed = false;
  let wake = (): void => undefined;
  socket.on('data', (block) => {
    text += block.toString('latin1');
    wake();
  });
  socket.on('error', () => undefined);
  for (const name of ['end', 'close']) {
    socket.on(name, () => {
      closed = true;
      wake();
    });
  }
  const wait = async (enough: () => boolean, what: string): Promise<string> => {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(`no ${what} in: ${JSON.stringify(text)}`)), deadlineMs);
    try {
      while (!enough()) {
        if (closed) throw new Error(`closed without ${what}: ${JSON.stringify(text)}`);
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await Promise.race([promise, late]);
      }
      return text;
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    socket,
    send: (data) => void socket.write(typeof data === 'string' ? bytes(data) : data),
    until: (expected) => wait(() => expected.test(text), String(expected)),
    end: () => wait(() => closed, 'end'),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
