/** What has to be shown of a download's content before it counts: its digest where one is known, else what the origin has. */
import { formatDigest, parseDigest } from '../../core/digest.ts';
import { DragonflyError } from '../../core/errors.ts';
import type { PieceRecord } from '../storage/metadata.ts';
import type { StoredTask } from '../storage/stored-task.ts';
import { ContentCheck } from './content-check.ts';
import type { DownloadContext } from './download-context.ts';
import type { DownloadRequest } from './open-task.ts';
import { differsFromOrigin } from './origin-check.ts';

export interface ProofEvents {
  /** Other nodes' bytes agree with the origin. */
  confirmed(): void;
  /** Whoever gave this piece lied. */
  liar(piece: PieceRecord): void;
}

export class ContentProof {
  /** Nobody who was at the origin has told of what parents hold: their word is all there is. */
  unproven = false;
  readonly #check: ContentCheck | undefined;
  readonly #context: DownloadContext;
  readonly #stored: StoredTask;
  readonly #request: DownloadRequest;
  readonly #events: ProofEvents;

  constructor(context: DownloadContext, stored: StoredTask, request: DownloadRequest, events: ProofEvents) {
    const expected = request.digest ?? stored.identity.digest;
    this.#check = expected === undefined ? undefined : new ContentCheck(parseDigest(expected), context.hasher, stored);
    this.#context = context;
    this.#stored = stored;
    this.#request = request;
    this.#events = events;
  }

  /** Something is still to be shown of the whole: its last byte must wait. */
  get pending(): boolean {
    return this.#check !== undefined || this.unproven;
  }

  /** `algorithm:value` of the whole, where one is expected. */
  get digest(): string | undefined {
    return this.#check && formatDigest(this.#check.expected);
  }

  /** Lets the hash follow up to the first missing piece. */
  advance(): void {
    this.#check?.advance();
  }

  /** Rejects with DIGEST_MISMATCH, or the origin's refusal. A node that may not ask the origin has to believe its parents. */
  async verify({ whole, signal }: { readonly whole: boolean; readonly signal: AbortSignal }): Promise<void> {
    if (whole && this.#check) return this.#check.verify(this.#stored.contentLengthBytes ?? 0);
    if (!this.unproven || this.#request.disableBackToSource === true) return;
    const { sources, logger } = this.#context;
    const lies = await differsFromOrigin(this.#stored, { source: this.#request, sources, signal });
    if (lies.length === 0) return this.#events.confirmed();
    for (const piece of lies) {
      const { source, number } = piece;
      logger.error(
        { taskId: this.#stored.id, peer: source, piece: number },
        'a parent gave what the origin does not have',
      );
      this.#events.liar(piece);
    }
    throw new DragonflyError('DIGEST_MISMATCH', 'the content other nodes gave is not what the origin has');
  }

  finish(): void {
    this.#stored.finish(this.#check && { digest: this.#check.expected });
  }

  /** Starts over, for content that is fetched again from the origin. */
  reset(): void {
    this.unproven = false;
    this.#check?.reset();
  }
}
