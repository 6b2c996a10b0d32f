/** One peer as the scheduler sees it: a stream, and reports of pieces nobody has downloaded. */
import { toDragonflyError } from '../../src/core/errors.ts';
import type { RpcClient } from '../../src/rpc/client.ts';
import { Download, type Host } from '../../gen/common/v2/common.ts';
import type {
  AnnouncePeerRequest,
  AnnouncePeerResponse,
  SchedulerDefinition,
} from '../../gen/scheduler/v2/scheduler.ts';
import { MessageQueue } from '../../src/rpc/streams.ts';
import { PieceSet } from '../../src/swarm/shared/piece-set.ts';

const pieceLength = 4 * 2 ** 20;
/** 1 GiB. */
export const pieceCount = 256;
const contentLength = pieceCount * pieceLength;

export interface PeerPlan {
  readonly client: RpcClient<typeof SchedulerDefinition>;
  readonly host: Host;
  readonly taskId: string;
  readonly original: boolean;
}

export class LoadedPeer {
  readonly parents = new Set<string>();
  leased = false;
  open = false;
  firstAnswerMs: number | undefined;
  failure = '';
  readonly #plan: PeerPlan;
  readonly #ids: { readonly hostId: string; readonly taskId: string; readonly peerId: string };
  readonly #requests = new MessageQueue<AnnouncePeerRequest>();
  readonly #firstPiece = Math.floor(Math.random() * pieceCount);
  #reported = 0;
  #startedMs = 0;

  constructor(plan: PeerPlan) {
    this.#plan = plan;
    this.#ids = { hostId: plan.host.id, taskId: plan.taskId, peerId: `${plan.host.id}-peer` };
  }

  static failures(peers: readonly LoadedPeer[]): Record<string, number> {
    const failed = peers.filter((peer) => peer.failure !== '');
    return Object.fromEntries(
      [...Map.groupBy(failed, (peer) => peer.failure)].map(([text, list]) => [text, list.length]),
    );
  }

  start(): void {
    const { client, original } = this.#plan;
    this.#startedMs = performance.now();
    this.open = true;
    const sizes = { actualContentLength: contentLength, actualPieceLength: pieceLength, actualPieceCount: pieceCount };
    const download = Download.fromPartial({
      url: `http://origin.test/${this.#ids.taskId}`,
      ...(original ? sizes : {}),
    });
    this.#send({ $case: 'registerPeerRequest', value: { download } });
    const metadata = original ? { 'x-dragonfly-features': 'none' } : {};
    void this.#read(client.announcePeer(this.#requests, { metadata }));
  }

  /** Some more pieces, from a parent or from the origin. False when there is nothing to report. */
  report(pieces: number): boolean {
    const parent = this.parents.values().next().value;
    const rest = pieceCount - 1 - this.#reported; // never the last one: a finished peer would leave its stream
    if (!this.open || rest <= 0 || (parent === undefined && !this.leased)) return false;
    const count = Math.min(pieces, rest);
    const set = new PieceSet(pieceCount);
    for (let step = 0; step < count; step += 1) set.add((this.#firstPiece + this.#reported + step) % pieceCount);
    this.#reported += count;
    if (this.#plan.original) this.#reportSingly(set, parent);
    else this.#reportBatch(set, parent);
    return true;
  }

  #reportBatch(set: PieceSet, parent: string | undefined): void {
    const bytes = set.count * pieceLength;
    const served = { bytes, pieces: set.count, rateBytesPerSecond: 5e7, failures: 0 };
    this.#send({
      $case: 'downloadPiecesFinishedRequest',
      value: {
        pieces: set.toBytes(),
        parents: parent === undefined ? [] : [{ peerId: parent, ...served }],
        sourceBytes: parent === undefined ? bytes : 0,
        sourcePieces: parent === undefined ? set.count : 0,
        originLeaseId: '',
        aliveEveryMs: 0,
        originSilent: false,
      },
    });
  }

  #reportSingly(set: PieceSet, parentId: string | undefined): void {
    const cost = { seconds: 0, nanos: 80_000_000 };
    for (const number of set) {
      const fixed = {
        number,
        offset: number * pieceLength,
        length: pieceLength,
        digest: 'crc32:1',
        cost,
        createdAt: new Date(),
      };
      if (parentId === undefined)
        this.#send({ $case: 'downloadPieceBackToSourceFinishedRequest', value: { piece: fixed } });
      else this.#send({ $case: 'downloadPieceFinishedRequest', value: { piece: { ...fixed, parentId } } });
    }
  }

  async #read(answers: AsyncIterable<AnnouncePeerResponse>): Promise<void> {
    try {
      for await (const { response } of answers) {
        this.firstAnswerMs ??= performance.now() - this.#startedMs;
        if (response) this.#take(response);
      }
      this.failure = 'the stream ended';
    } catch (error) {
      this.failure = toDragonflyError(error).message;
    }
    this.open = false;
  }

  #take(response: NonNullable<AnnouncePeerResponse['response']>): void {
    switch (response.$case) {
      case 'needBackToSourceResponse': {
        this.leased = true;
        if (this.#plan.original) return this.#send({ $case: 'downloadPeerBackToSourceStartedRequest', value: {} });
        const value = { contentLength, pieceLength, responseHeader: { etag: '"1"' }, rangesSupported: true };
        return this.#send({ $case: 'taskMetadataRequest', value });
      }
      case 'normalTaskResponse':
        if (this.#plan.original) this.parents.clear();
        for (const parent of response.value.candidateParents) this.parents.add(parent.id);
        return;
      case 'dropParentsResponse':
        for (const id of response.value.peerIds) this.parents.delete(id);
        return;
      case 'revokeLeaseResponse':
        this.leased = false;
        return;
      default:
    }
  }

  #send(request: NonNullable<AnnouncePeerRequest['request']>): void {
    this.#requests.push({ ...this.#ids, request });
  }
}
