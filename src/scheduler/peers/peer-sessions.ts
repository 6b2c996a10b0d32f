/** The open streams of peers: decisions of the swarm (swarm/shared/decisions.ts) become messages on them. */
import { DragonflyError } from '../../core/errors.ts';
import type { Download } from '../../../gen/common/v2/common.ts';
import type { AnnouncePeerResponse } from '../../../gen/scheduler/v2/scheduler.ts';
import type { Participation } from '../../rpc/control-key.ts';
import { MessageQueue } from '../../rpc/streams.ts';
import { readerMessage } from '../../rpc/fields/reader-range.ts';
import type { Decision } from '../../swarm/shared/decisions.ts';
import type { Swarm } from '../../swarm/scheduler/swarm.ts';
import type { HostRegistry } from '../hosts/host-registry.ts';
import { maxQueuedAnswers } from '../limits.ts';
import { durationFromMs, metadataMessage, offerMessage, response, taskMessage } from '../messages.ts';
import type { TaskFactsTable } from '../task-facts.ts';

export interface PeerSession {
  readonly peerId: string;
  readonly taskId: string;
  readonly hostId: string;
  /** True when the daemon understands the extensions of the protocol. */
  readonly extended: boolean;
  readonly answers: MessageQueue<AnnouncePeerResponse>;
  /** The download as registered, with everything a seed needs to do the same. */
  readonly download: Download;
  /** What the peer presents to its parents; created when it first gets some. */
  ticket?: Buffer;
  /** When it asked for parents; undefined once it was given some, or was sent to the origin. */
  askedAtMs: number | undefined;
}

export interface PeerSessionsOptions {
  readonly swarm: Swarm;
  readonly hosts: HostRegistry;
  readonly facts: TaskFactsTable;
  readonly triggerSeed: (session: PeerSession | undefined, taskId: string, hostId: string) => void;
  /** A host was found to lie. */
  readonly onStruckOff: (what: {
    readonly hostId: string;
    readonly accusers: readonly string[];
    readonly taskId: string;
  }) => void;
  /** Called when a peer that asked was given parents, or was sent to the origin. */
  readonly onScheduled: (afterMs: number) => void;
  readonly nowMs: () => number;
  /** Signs this scheduler's statement that a host takes part in a task. */
  readonly ticketFor: (participation: Participation) => Buffer;
}

type OfferParents = Extract<Decision, { kind: 'offer-parents' }>;

export class PeerSessions {
  readonly #options: PeerSessionsOptions;
  readonly #sessions = new Map<string, PeerSession>();
  /**
   * Parents for peers that did not ask. In a crowd each newcomer becomes a neighbour of dozens, so the offers of one event loop
   * turn are sent together.
   */
  readonly #gathered = new Map<PeerSession, OfferParents>();

  constructor(options: PeerSessionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Creates a session that is not open yet: nothing is delivered to it. */
  prepare(ids: Omit<PeerSession, 'answers' | 'askedAtMs'>): PeerSession {
    const answers = new MessageQueue<AnnouncePeerResponse>(maxQueuedAnswers);
    return { ...ids, answers, askedAtMs: this.#options.nowMs() };
  }

  /** A peer that opens a second stream has lost the first, even if its end has not arrived here yet. */
  open(session: PeerSession): void {
    const { peerId } = session;
    this.#sessions.get(peerId)?.answers.fail(new DragonflyError('CANCELLED', 'the peer opened another stream'));
    this.#sessions.set(peerId, session);
  }

  /** True when this was the peer's current stream. */
  close(session: PeerSession): boolean {
    session.answers.end();
    this.#gathered.delete(session);
    if (this.#sessions.get(session.peerId) !== session) return false;
    this.#sessions.delete(session.peerId);
    return true;
  }

  failAll(error: DragonflyError): void {
    for (const session of this.#sessions.values()) session.answers.fail(error);
  }

  /** Carries out one decision. A decision for a peer without a stream is dropped: the peer has gone, or only holds a task. */
  deliver(decision: Decision): void {
    const session = this.#sessions.get(decision.peerId);
    if (decision.kind === 'trigger-seed') {
      this.#options.triggerSeed(session, decision.taskId, decision.hostId);
      return;
    }
    if (decision.kind === 'host-struck-off') return this.#options.onStruckOff(decision);
    if (!session) return;
    if (decision.kind === 'offer-parents' && session.extended && !decision.replace && session.askedAtMs === undefined)
      return this.#gather(session, decision);
    this.#sendGathered(session);
    if (decision.kind === 'fail-peer') {
      const { message, details } = decision;
      // Without a status the origin did not answer at all, which is a different fault with a different remedy.
      const silent = decision.code === 'SOURCE_STATUS' && details?.statusCode === undefined;
      const code = silent ? 'SOURCE_UNREACHABLE' : decision.code;
      session.answers.fail(new DragonflyError(code, message, details ? { details } : {}));
      return;
    }
    const message = this.#answer(decision, session);
    const given = decision.kind === 'offer-parents' || decision.kind === 'grant-origin-lease';
    if (message && given) this.#scheduled(session);
    this.#push(session, message);
  }

  #gather(session: PeerSession, decision: OfferParents): void {
    if (this.#gathered.size === 0) setImmediate(() => this.#sendAllGathered());
    const known = this.#gathered.get(session);
    const parents = known ? [...known.parents, ...decision.parents] : decision.parents;
    this.#gathered.set(session, { ...decision, parents });
  }

  #sendAllGathered(): void {
    for (const session of this.#gathered.keys()) this.#sendGathered(session);
  }

  /** Sent before any other message to the peer. */
  #sendGathered(session: PeerSession): void {
    const decision = this.#gathered.get(session);
    if (!decision) return;
    this.#gathered.delete(session);
    this.#push(session, this.#offer(decision, session));
  }

  #push(session: PeerSession, message: AnnouncePeerResponse['response']): void {
    if (!message) return;
    try {
      session.answers.push(response(message));
    } catch (error) {
      session.answers.fail(error as Error); // the peer is too far behind; it registers again when it is back
    }
  }

  #scheduled(session: PeerSession): void {
    if (session.askedAtMs === undefined) return;
    this.#options.onScheduled(this.#options.nowMs() - session.askedAtMs);
    session.askedAtMs = undefined;
  }

  #answer(
    decision: Exclude<Decision, { kind: 'trigger-seed' | 'fail-peer' | 'host-struck-off' }>,
    session: PeerSession,
  ): AnnouncePeerResponse['response'] {
    const { extended } = session;
    switch (decision.kind) {
      case 'offer-parents':
        return this.#offer(decision, session);
      case 'withdraw-parents':
        if (!extended) return undefined;
        return { $case: 'dropParentsResponse', value: { peerIds: [...decision.parentIds] } };
      case 'task-layout': {
        if (!extended) return undefined;
        const facts = this.#options.facts.get(decision.taskId);
        return { $case: 'taskMetadataResponse', value: metadataMessage(decision.layout, facts) };
      }
      case 'grant-origin-lease': {
        const ttlMs = Math.max(0, decision.expiresAtMs - this.#options.nowMs());
        const originLease = extended && !decision.wholeTask ? leaseMessage(decision, ttlMs) : undefined;
        const value = { description: 'fetch from the origin', originLease, taskMetadata: undefined };
        return { $case: 'needBackToSourceResponse', value };
      }
      case 'revoke-origin-lease':
        if (!extended) return undefined;
        return { $case: 'revokeLeaseResponse', value: { leaseId: String(decision.leaseId) } };
      case 'empty-task':
        return { $case: 'emptyTaskResponse', value: {} };
      case 'piece-digests':
        return { $case: 'pieceDigestsResponse', value: { ...decision, validator: '' } };
      case 'check-piece': {
        const nothingKnown = { digests: new Uint8Array(), validator: '' };
        return { $case: 'pieceDigestsResponse', value: { first: decision.piece, certain: true, ...nothingKnown } };
      }
      case 'metadata-only':
        return { $case: 'metadataOnlyResponse', value: {} };
    }
  }

  #offer(decision: OfferParents, session: PeerSession): AnnouncePeerResponse['response'] {
    const { swarm, hosts, facts } = this.#options;
    const task = swarm.task(decision.taskId);
    if (!task) return undefined;
    const value = offerMessage(decision.parents, {
      additional: !decision.replace,
      extended: session.extended,
      context: {
        peer: (peerId) => swarm.peer(peerId),
        contact: (hostId) => hosts.get(hostId)?.contact,
        task: () => taskMessage(task, facts.get(task.id)),
        unproven: task.proof === 'claimed',
        pieceDigests: task.digests?.complete === true && swarm.peer(decision.peerId)?.features.digests === true,
      },
    });
    if (!value) return undefined;
    if (session.extended) session.ticket ??= this.#options.ticketFor(session);
    return { $case: 'normalTaskResponse', value: { ...value, ticket: session.ticket ?? noTicket } };
  }
}

const noTicket = new Uint8Array();

type LeaseGrant = Extract<Decision, { kind: 'grant-origin-lease' }>;

function leaseMessage({ leaseId, range, readerRange }: LeaseGrant, ttlMs: number) {
  const { first, end } = range;
  return {
    id: String(leaseId),
    firstPiece: first,
    pieceCount: end === undefined ? 0 : end - first,
    ttl: durationFromMs(ttlMs),
    ...(readerRange && { reader: readerMessage(readerRange) }),
    readerOnly: readerRange !== undefined && end === first,
  };
}
