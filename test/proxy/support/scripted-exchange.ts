/** Plays scripts: an origin that says what its script tells, and clients that ask it directly or by way of a proxy. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { readMessage, type Message } from './http-message.ts';
import type { Answer, Body, Field, Script } from './http-script.ts';
import { bytes } from './raw-http.ts';

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** The same by HTTP and by HTTPS, at a port each. */
export class ScriptedOrigin implements AsyncDisposable {
  readonly #server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#serve(socket, socket));
  readonly #secureServer = createServer({ allowHalfOpen: true, noDelay: true }, (raw) => {
    raw.on('error', () => undefined);
    this.#serve(new TLSSocket(raw, { isServer: true, ...this.#certificate }), raw);
  });
  readonly #certificate: Certificate;
  readonly #open = new Set<Socket>();
  readonly #scripts = new Map<string, Script>();
  /** Whole requests by the id in their target, and any that names none. */
  readonly #seen = new Map<string, Message[]>();
  readonly strange: string[] = [];

  static async start(certificate: Certificate): Promise<ScriptedOrigin> {
    const origin = new ScriptedOrigin(certificate);
    for (const server of [origin.#server, origin.#secureServer]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    return origin;
  }

  private constructor({ cert, key }: Certificate) {
    this.#certificate = { cert, key };
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get securePort(): number {
    return (this.#secureServer.address() as AddressInfo).port;
  }

  expect(script: Script): void {
    this.#scripts.set(script.id, script);
  }

  /** What came for it since the last call. */
  take(id: string): Message[] {
    const messages = this.#seen.get(id) ?? [];
    this.#seen.delete(id);
    return messages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    for (const server of [this.#server, this.#secureServer]) await new Promise((resolve) => server.close(resolve));
  }

  /** @param raw below TLS, where there is TLS */
  #serve(socket: Socket, raw: Socket): void {
    this.#open.add(socket);
    socket.on('error', () => undefined).once('close', () => this.#open.delete(socket));
    socket.once('end', () => socket.end());
    let text = '';
    let number = 0;
    let answered = false;
    socket.on('data', (block) => {
      text += block.toString('latin1');
      for (;;) {
        const message = readMessage(text);
        if (!message) return;
        const id = /^[A-Z]+ \/(q\d+z)/.exec(message.start)?.[1] ?? '';
        const script = this.#scripts.get(id);
        if (!script) {
          this.strange.push(message.start);
          return void socket.destroy();
        }
        const { answer, expect } = script;
        if (!answered && !message.whole) {
          if (expect === 'continue') socket.write('HTTP/1.1 100 Continue\r\n\r\n');
          if (answer.early) this.#answer({ socket, raw }, script, { number, message });
          answered = true;
        }
        if (!message.whole) return;
        if (!(answered && answer.early)) this.#answer({ socket, raw }, script, { number, message });
        this.#seen.set(id, [...(this.#seen.get(id) ?? []), message]);
        text = text.slice(message.length);
        number += 1;
        answered = false;
      }
    });
  }

  #answer(
    { socket, raw }: { socket: Socket; raw: Socket },
    { answer, id }: Script,
    { number, message }: { number: number; message: Message },
  ): void {
    if (answer.ending === 'stale' && number > 0) return void raw.resetAndDestroy();
    const [head, body] = wireAnswer(answer, id, message.start.endsWith('1.0'));
    const interim = answer.interim
      .map(({ status, fields }) => `HTTP/1.1 ${status} Note\r\n${lines(fields)}\r\n`)
      .join('');
    if (answer.ending === 'break-head') return void socket.end(bytes(interim + head.slice(0, head.length / 2)));
    socket.write(bytes(interim + head));
    if (answer.ending === 'break-body') return void socket.end(bytes(body.slice(0, body.length / 2)));
    socket.write(bytes(body));
    const old = message.start.endsWith('1.0') || answer.version === '1.0';
    if (answer.ending === 'close' || answer.body.kind === 'close' || old) socket.end();
  }
}

function wireAnswer(answer: Answer, id: string, old: boolean): [head: string, body: string] {
  const { body, eol } = answer;
  const chunked = body.kind === 'chunked' && !old;
  const framing = chunked ? [['Transfer-Encoding', 'chunked'] as const] : [];
  const length = body.kind === 'length' || answer.bothLengths;
  if (length && !(old && body.kind === 'chunked'))
    framing.push(['Content-Length', String(body.parts.join('').length)] as never);
  if (body.kind === 'none' && answer.status !== 204) framing.push(['Content-Length', '0'] as never);
  const folded = answer.folded ? ([['X-Folded', `one${eol} two${eol}\tthree`]] as const) : [];
  const fields: Field[] = [['X-Id', id], ...answer.fields, ...folded, ...(framing as Field[])];
  const head = [
    `HTTP/${answer.version} ${answer.status} ${answer.reason}`,
    ...fields.map(([name, value]) => `${name}: ${value}`),
    '',
    '',
  ].join(eol);
  return [head, chunked ? chunks(body) : body.parts.join('')];
}

function chunks({ parts, trailers }: Body): string {
  const written = parts.map(
    (part, index) => `${part.length.toString(16)}${index % 2 === 0 ? '' : ';a=b'}\r\n${part}\r\n`,
  );
  return `${written.join('')}0\r\n${lines(trailers)}\r\n`;
}

function lines(fields: readonly Field[]): string {
  return fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}

/** What a client got. */
export interface Outcome {
  readonly interim: readonly Message[];
  /** Undefined when the connection ended before its header was whole. */
  readonly answer: Message | undefined;
}

export interface Way {
  /** A connection of the client. */
  readonly open: () => Promise<Socket>;
  readonly target: (script: Script) => string;
  /** Each exchange has a connection of its own. */
  readonly alone: boolean;
  /** Beside those of the script. */
  readonly fields: readonly Field[];
}

const deadlineMs = 20_000;

export async function plainSocket(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/** One connection, one exchange after the other, as long as the connection lasts. */
export async function playAll(scripts: readonly Script[], way: Way): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let connection: ClientConnection | undefined;
  for (const script of scripts) {
    if (!connection || connection.ended || way.alone) {
      connection?.socket.destroy();
      connection = new ClientConnection(await way.open());
    }
    outcomes.push(await play(connection, script, way));
    const { answer } = outcomes.at(-1) ?? {};
    const closes = answer?.fields.some(([name, value]) => name.toLowerCase() === 'connection' && /close/i.test(value));
    if (
      !answer?.whole ||
      answer.framing === 'close' ||
      closes ||
      script.version === '1.0' ||
      answer.start.startsWith('HTTP/1.0')
    ) {
      connection.socket.destroy();
      connection = undefined;
    }
  }
  connection?.socket.destroy();
  return outcomes;
}

async function play(connection: ClientConnection, script: Script, way: Way): Promise<Outcome> {
  const { body, expect, version } = script;
  const chunked = body.kind === 'chunked';
  const framing: Field[] =
    body.kind === 'none'
      ? []
      : chunked
        ? [['Transfer-Encoding', 'chunked']]
        : [['content-LENGTH', String(body.parts.join('').length)]];
  const more: Field[] = expect === undefined ? [] : [['Expect', '100-continue']];
  const fields = [...way.fields, ...script.fields, ...framing, ...more];
  connection.write(`${script.method} ${way.target(script)} HTTP/${version}\r\n${lines(fields)}\r\n`);
  const interim: Message[] = [];
  const next = async (): Promise<Message | undefined> => {
    for (;;) {
      const message = await connection.message(script.method, deadlineMs);
      if (!message || !/^HTTP\/1\.. 1/.test(message.start)) return message;
      interim.push(message);
      if (/^HTTP\/1\.. 100/.test(message.start)) return message;
    }
  };
  let answer: Message | undefined;
  if (expect === 'continue' || expect === 'refuse') answer = await next();
  const goOn = expect !== 'refuse' && (answer === undefined || /^HTTP\/1\.. 100/.test(answer.start));
  if (goOn && body.kind !== 'none') {
    connection.write(chunked ? chunks(body) : body.parts.join(''));
  }
  if (goOn) answer = await next();
  return { interim, answer };
}

class ClientConnection {
  readonly socket: Socket;
  #text = '';
  ended = false;
  #wake = (): void => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (block) => {
      this.#text += block.toString('latin1');
      this.#wake();
    });
    for (const name of ['end', 'close']) {
      socket.on(name, () => {
        this.ended = true;
        this.#wake();
      });
    }
  }

  write(text: string): void {
    this.socket.write(bytes(text));
  }

  /** Undefined when the connection ended before a header; not whole when it ended before the body's end. */
  async message(method: string, timeoutMs: number): Promise<Message | undefined> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`no answer in time; so far: ${JSON.stringify(this.#text.slice(0, 500))}`)),
      timeoutMs,
    );
    try {
      for (;;) {
        const message = readMessage(this.#text, { method, ended: this.ended });
        if (message && (message.whole || this.ended)) {
          this.#text = this.#text.slice(message.length);
          return message;
        }
        if (this.ended) return undefined;
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await Promise.race([promise, late]);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
