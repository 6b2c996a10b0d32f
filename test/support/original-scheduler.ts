/**
 * A scheduler that answers as one of the original does (v2.5.1, as far as daemons notice): it names no instance, takes a
 * length it is not told for an empty file, and a peer id for one registration. Written from what the real one was seen to
 * answer; it decides nothing else.
 */
import { DragonflyError } from '../../src/core/errors.ts';
import { knownLength } from '../../src/rpc/fields/known-length.ts';
import { Peer, type Download, type Host } from '../../gen/common/v2/common.ts';
import {
  AnnouncePeerResponse,
  SchedulerDefinition,
  type AnnouncePeerRequest,
} from '../../gen/scheduler/v2/scheduler.ts';
import { RpcServer } from '../../src/rpc/server/server.ts';
import { MessageQueue } from '../../src/rpc/streams.ts';

export interface Registration {
  readonly peerId: string;
  readonly hostId: string;
  readonly taskId: string;
  readonly download: Download;
}

export class OriginalScheduler implements AsyncDisposable {
  readonly registrations: Registration[] = [];
  /** One for each that a peer has told of. */
  readonly pieces: { readonly hostId: string; readonly taskId: string }[] = [];
  readonly #server: RpcServer;
  readonly #hosts = new Map<string, Host>();
  /** Ids of peers that hold a task, by task. */
  readonly #holders = new Map<string, Map<string, string>>();
  readonly #peers = new Set<string>();
  readonly #streams = new Set<MessageQueue<AnnouncePeerResponse>>();
  /** Ids of peers that have told of a piece from the origin, by task. */
  readonly #giving = new Map<string, Map<string, string>>();
  /** Has just restarted, and knows of nobody whom to send a peer to. */
  knowsNobody = false;
  /** Tells every download that its content is empty. */
  callsEmpty = false;

  private constructor(port: number) {
    this.#server = RpcServer.create({ host: '127.0.0.1', port }).addService(SchedulerDefinition, {
      announceHost: async ({ host }) => {
        if (host) this.#hosts.set(host.id, host);
        return {};
      },
      deleteHost: async () => ({}),
      announcePeer: (requests) => this.#announcePeer(requests),
    });
  }

  /** @param port 0 for any; a fixed one to restart at the same address. */
  static async start(port = 0): Promise<OriginalScheduler> {
    const scheduler = new OriginalScheduler(port);
    await scheduler.#server.start();
    return scheduler;
  }

  get address(): string {
    return this.#server.address;
  }

  get port(): number {
    return this.#server.port;
  }

  holdersOf(taskId: string): number {
    return this.#holders.get(taskId)?.size ?? 0;
  }

  /** Ends every peer's stream, as a lost connection would. */
  cutStreams(): void {
    for (const stream of this.#streams) stream.fail(new DragonflyError('UNAVAILABLE', 'cut'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.cutStreams();
    return this.#server[Symbol.asyncDispose]();
  }

  async *#announcePeer(requests: AsyncIterable<AnnouncePeerRequest>): AsyncGenerator<AnnouncePeerResponse> {
    const answers = new MessageQueue<AnnouncePeerResponse>();
    this.#streams.add(answers);
    void this.#read(requests, answers).catch((error: unknown) => answers.fail(error as Error));
    try {
      yield* answers;
    } finally {
      this.#streams.delete(answers);
    }
  }

  async #read(requests: AsyncIterable<AnnouncePeerRequest>, answers: MessageQueue<AnnouncePeerResponse>) {
    for await (const { hostId, taskId, peerId, request } of requests) {
      switch (request?.$case) {
        case 'registerPeerRequest':
          answers.push(this.#register({ hostId, taskId, peerId, download: request.value.download! }));
          break;
        case 'downloadPieceFinishedRequest':
          this.pieces.push({ hostId, taskId });
          break;
        case 'downloadPieceBackToSourceFinishedRequest':
          this.pieces.push({ hostId, taskId });
          this.#giving.set(taskId, (this.#giving.get(taskId) ?? new Map<string, string>()).set(peerId, hostId));
          break;
        case 'downloadPeerFinishedRequest':
        case 'downloadPeerBackToSourceFinishedRequest':
          this.#holders.set(taskId, (this.#holders.get(taskId) ?? new Map<string, string>()).set(peerId, hostId));
          return answers.end();
        case 'downloadPeerFailedRequest':
        case 'downloadPeerBackToSourceFailedRequest':
          return answers.end();
        default:
      }
    }
    answers.end();
  }

  #register(registration: Registration): AnnouncePeerResponse {
    const { hostId, taskId, peerId, download } = registration;
    if (!this.#hosts.has(hostId)) throw new DragonflyError('NOT_FOUND', `host ${hostId} not found`);
    this.registrations.push(registration);
    if (this.#peers.has(peerId)) {
      throw new DragonflyError('INTERNAL', 'event RegisterNormal inappropriate in current state BackToSource');
    }
    this.#peers.add(peerId);
    const respond = (response: AnnouncePeerResponse['response']) => AnnouncePeerResponse.fromPartial({ response });
    if (download.metadataOnly) return respond({ $case: 'metadataOnlyResponse', value: {} });
    const length = download.actualContentLength ?? 0;
    if (this.callsEmpty || length === 0) return respond({ $case: 'emptyTaskResponse', value: {} });
    const known = this.knowsNobody ? [] : [this.#holders.get(taskId) ?? [], this.#giving.get(taskId) ?? []];
    const holders = known.flatMap((peers) => [...peers]).filter(([, holder]) => holder !== hostId);
    if (download.needBackToSource || holders.length === 0) {
      const value = { description: undefined, originLease: undefined, taskMetadata: undefined };
      return respond({ $case: 'needBackToSourceResponse', value });
    }
    // A length it does not know it repeats as it holds it, as -1 in an unsigned field.
    const contentLength = knownLength(length) ?? 2 ** 63;
    const candidateParents = holders.map(([id, holder]) =>
      Peer.fromPartial({ id, host: this.#hosts.get(holder)!, task: { id: taskId, url: download.url, contentLength } }),
    );
    return AnnouncePeerResponse.fromPartial({ response: { $case: 'normalTaskResponse', value: { candidateParents } } });
  }
}
