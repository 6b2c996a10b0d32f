/** A real scheduler on loopback, and daemons that are only their streams. */
import { randomUUID } from 'node:crypto';
import { parseConfig } from '../../src/core/config/config.ts';
import { Owned } from '../../src/core/process/lifecycle.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient, type RpcClient } from '../../src/rpc/client.ts';
import { Download, Host } from '../../gen/common/v2/common.ts';
import {
  SchedulerDefinition,
  type AnnouncePeerRequest,
  type AnnouncePeerResponse,
} from '../../gen/scheduler/v2/scheduler.ts';
import { MessageQueue } from '../../src/rpc/streams.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import type { SchedulerOverrides } from '../../src/scheduler/assembly.ts';
import { SchedulerService } from '../../src/scheduler/scheduler-service.ts';

export const mebibyte = 2 ** 20;
export const taskId = 'c'.repeat(64);
export const url = 'http://origin.test/file';
export const pieceLength = 4 * mebibyte;
export const contentLength = 10 * pieceLength;

type Answer = NonNullable<AnnouncePeerResponse['response']>;
type Request = NonNullable<AnnouncePeerRequest['request']>;

type AnswerValues = { [A in Answer as A['$case']]: A['value'] };

export class SchedulerFixture {
  readonly owned = new Owned();
  readonly scheduler: SchedulerService;
  readonly client: RpcClient<typeof SchedulerDefinition>;
  readonly channels: Channels;
  #hosts = 0;

  private constructor(scheduler: SchedulerService) {
    this.scheduler = this.owned.add('scheduler', scheduler);
    this.channels = this.owned.add('channels', new Channels());
    this.client = createClient(SchedulerDefinition, this.channels, scheduler.addresses.grpc);
  }

  static async start(
    yaml = '',
    overrides: SchedulerOverrides = {},
    // Nothing can be made there, whoever asks: what one scheduler keeps is not of the next.
    cacheDir = '/dev/null/cache',
  ): Promise<SchedulerFixture> {
    const { config } = parseConfig(
      schedulerConfigSchema,
      `server: { listenIP: 127.0.0.1, port: 0, host: scheduler-1, cacheDir: ${cacheDir} }\n${yaml}`,
      'scheduler.yaml',
    );
    const scheduler = await SchedulerService.create(config, overrides);
    await scheduler.start();
    return new SchedulerFixture(scheduler);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.owned[Symbol.asyncDispose]();
  }

  /** Announces a host and returns it. */
  async host(fields: Partial<Host> = {}): Promise<Host> {
    this.#hosts += 1;
    const name = `host-${this.#hosts}`;
    const host = Host.fromPartial({
      id: `127.0.0.1-${name}`,
      hostname: name,
      ip: '127.0.0.1',
      port: 4000 + this.#hosts,
      ...fields,
    });
    await this.client.announceHost({ host, interval: { seconds: 300, nanos: 0 } });
    return host;
  }

  /** @param options.id of a peer that is known already, for one more stream of it. */
  peer(host: Host, { extended = true, task = taskId, id }: Partial<TestPeerOptions> = {}): TestPeer {
    return new TestPeer(this, host, { extended, task, id });
  }
}

interface TestPeerOptions {
  readonly extended: boolean;
  readonly task: string;
  readonly id: string | undefined;
}

/** One peer's stream, answers kept until somebody asks for them. */
export class TestPeer {
  readonly id: string;
  readonly #ids: { readonly hostId: string; readonly taskId: string; readonly peerId: string };
  readonly #requests = new MessageQueue<AnnouncePeerRequest>();
  readonly #answers: AsyncIterator<AnnouncePeerResponse>;

  constructor(fixture: SchedulerFixture, host: Host, { extended, task, id }: TestPeerOptions) {
    this.id = id ?? `${host.id}-${randomUUID()}`;
    this.#ids = { hostId: host.id, taskId: task, peerId: this.id };
    const metadata = extended ? {} : { 'x-dragonfly-features': 'none' };
    this.#answers = fixture.client.announcePeer(this.#requests, { metadata })[Symbol.asyncIterator]();
  }

  send(request: Request): this {
    this.#requests.push({ ...this.#ids, request });
    return this;
  }

  register(fields: Parameters<typeof Download.fromPartial>[0] = {}): this {
    const download = Download.fromPartial({ url, ...fields });
    return this.send({ $case: 'registerPeerRequest', value: { download } });
  }

  metadata(header: Record<string, string> = {}): this {
    const value = { contentLength, pieceLength, responseHeader: header, rangesSupported: true };
    return this.send({ $case: 'taskMetadataRequest', value });
  }

  /** @param pieces bits; @param from parent id, or undefined for the origin. */
  finished(pieces: number, from?: string): this {
    const count = pieces.toString(2).replaceAll('0', '').length;
    const bytes = count * pieceLength;
    const parents =
      from === undefined ? [] : [{ peerId: from, bytes, pieces: count, rateBytesPerSecond: 1e7, failures: 0 }];
    return this.send({
      $case: 'downloadPiecesFinishedRequest',
      value: {
        pieces: Uint8Array.of(pieces & 255, pieces >>> 8),
        parents,
        sourceBytes: from === undefined ? bytes : 0,
        sourcePieces: from === undefined ? count : 0,
        originLeaseId: '',
        aliveEveryMs: 0,
        originSilent: false,
      },
    });
  }

  done(): this {
    return this.send({ $case: 'downloadPeerFinishedRequest', value: {} });
  }

  /** The next answer; undefined when the stream has ended. Throws the error it ended with. */
  async next(): Promise<Answer | undefined> {
    const result = await this.#answers.next();
    return result.done === true ? undefined : result.value.response;
  }

  /** The next answer of this kind; others are passed over. */
  async expect<K extends Answer['$case']>(kind: K): Promise<AnswerValues[K]> {
    for (;;) {
      const answer = await this.next();
      if (answer === undefined) throw new Error(`the stream ended without ${kind}`);
      if (answer.$case === kind) return answer.value as AnswerValues[K];
    }
  }

  /** Cuts the stream as a daemon that dies does. */
  cut(): void {
    this.#requests.fail(new Error('cut'));
  }
}
