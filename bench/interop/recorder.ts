/** Stands before a gRPC server as a relay does, and keeps the messages that pass: what goes over the wire between two parts. */
import { once } from 'node:events';
import { connect, createServer, constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';

export interface RecordedMessage {
  /** `/package.Service/Method`. */
  readonly method: string;
  /** Calls in the order in which they began. */
  readonly call: number;
  readonly from: 'client' | 'server';
  readonly bytes: Buffer;
}

export class Recorder implements AsyncDisposable {
  readonly port: number;
  readonly messages: readonly RecordedMessage[];
  readonly #close: () => void;

  private constructor(port: number, messages: readonly RecordedMessage[], close: () => void) {
    this.port = port;
    this.messages = messages;
    this.#close = close;
  }

  static async start(host: string, to: number): Promise<Recorder> {
    const messages: RecordedMessage[] = [];
    const server = createServer();
    let calls = 0;
    const sessions = new Set<{ destroy: () => void }>();
    server.on('session', (session) => {
      const upstream = connect(`http://${host}:${to}`);
      sessions.add(session).add(upstream);
      upstream.on('error', () => session.destroy());
      session.on('error', () => upstream.destroy());
      session.on('close', () => upstream.close());
      session.on('stream', (stream, headers) => {
        const method = headers[':path'] ?? '';
        const call = (calls += 1);
        const [asked, answered] = [new Splitter(), new Splitter()];
        const request = upstream.request(withoutConnection(headers));
        let trailers: OutgoingHttpHeaders = {};
        stream.on('error', () => request.close());
        request.on('error', () => stream.close());
        stream.on('data', (data: Buffer) => {
          for (const bytes of asked.push(data)) messages.push({ method, call, from: 'client', bytes });
          request.write(data);
        });
        stream.on('end', () => request.end());
        stream.on('close', () => request.close(constants.NGHTTP2_CANCEL));
        request.on('response', (answer, flags) => {
          const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
          stream.respond(withoutConnection(answer), { endStream, waitForTrailers: !endStream });
        });
        request.on('data', (data: Buffer) => {
          for (const bytes of answered.push(data)) messages.push({ method, call, from: 'server', bytes });
          stream.write(data);
        });
        request.on('trailers', (told) => (trailers = withoutConnection(told)));
        request.on('end', () => stream.end());
        stream.on('wantTrailers', () => {
          stream.sendTrailers(trailers);
          // As a server in Go does: daemons of the original wait for the end of the stream.
          setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR));
        });
      });
    });
    server.listen(0, host);
    await once(server, 'listening');
    return new Recorder((server.address() as AddressInfo).port, messages, () => {
      server.close();
      for (const session of sessions) session.destroy();
    });
  }

  cut(): void {
    throw new Error('a recorder cuts nothing');
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    return Promise.resolve();
  }
}

/** Messages out of the body of a call: five bytes before each tell its length. */
class Splitter {
  #rest = Buffer.alloc(0);

  push(data: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, data]);
    const messages: Buffer[] = [];
    while (this.#rest.length >= 5 && this.#rest.length >= 5 + this.#rest.readUInt32BE(1)) {
      const end = 5 + this.#rest.readUInt32BE(1);
      messages.push(Buffer.from(this.#rest.subarray(5, end)));
      this.#rest = this.#rest.subarray(end);
    }
    return messages;
  }
}

function withoutConnection(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'connection' && name !== 'host'));
}
