/** What has to be proven of a download's content before it counts: its digest where one is known, otherwise that it is what the origin has. */
import { formatDigest, parseDigest } from '../../../core/digest.ts';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import type { PieceRecord } from '../../storage/metadata.ts';
import { corruptPieces } from '../../storage/pieces/second-look.ts';
import type { StoredTask } from '../../storage/stored-task.ts';
import { nativeIo } from '../../transport/native-io.ts';
import { ContentCheck } from './content-check.ts';
import type { DownloadScope } from '../download-scope.ts';
import type { DownloadRequest } from '../open-task.ts';
import { differsFromOrigin } from '../origin/origin-check.ts';
import { PieceProof, type DigestsMessage } from './piece-proof.ts';

export class ContentProof {
  /** Nobody who was at the origin vouches for what parents hold. */
  #unproven = false;
  /** For content without a digest. */
  readonly pieces: PieceProof | undefined;
  readonly #check: ContentCheck | undefined;
  readonly #scope: DownloadScope;
  readonly #stored: StoredTask;
  readonly #request: DownloadRequest;

  constructor(scope: DownloadScope) {
    const { context, stored, request, signal } = scope;
    const expected = request.digest ?? stored.identity.digest;
    this.#check = expected === undefined ? undefined : new ContentCheck(parseDigest(expected), context.hasher, stored);
    const { pieceHasher: hasher, sources } = context;
    const mayAsk = request.disableBackToSource !== true;
    const tell = (message: DigestsMessage): void => scope.session?.digests(message);
    if (!this.#check && hasher)
      this.pieces = new PieceProof({ stored, hasher, sources, source: request, mayAsk, signal, tell });
    this.#scope = scope;
    this.#stored = stored;
    this.#request = request;
  }

  /** The whole content is not proven yet, or has been disproved: its last byte must wait. */
  get pending(): boolean {
    return this.#check !== undefined || this.onHearsay || this.#stored.content.hasForeignWrites;
  }

  /** Some of the content is only vouched for by other nodes. */
  get onHearsay(): boolean {
    return this.#unproven || this.pieces?.isOpen === true;
  }

  /** Expected digest of the whole content, `algorithm:value`. */
  get digest(): string | undefined {
    return this.#check && formatDigest(this.#check.expected);
  }

  /** The scheduler offers parents, and says what vouches for their content. */
  offered({ unproven, digests }: { readonly unproven: boolean; readonly digests: boolean }): void {
    this.#unproven = unproven;
    this.pieces?.expect(digests);
  }

  /** The piece comes from another node and is compared before it counts. */
  mustProve(piece: number): boolean {
    return this.pieces?.isExpected === true && !this.#stored.claims.isPatched(piece);
  }

  /** A piece is on disk, from a parent or the origin. */
  stored(piece: PieceRecord): void {
    this.advance();
    if (piece.source === 'origin') this.pieces?.fetched(piece);
  }

  /** Lets the hash follow up to the first missing piece. */
  advance(): void {
    this.#check?.advance();
  }

  /**
   * Rejects with DIGEST_MISMATCH, or the origin's refusal. A node that may not ask the origin has to believe its
   * parents. False when pieces on the disk are no longer as they arrived; those are fetched again.
   */
  async verify({ whole, signal }: { readonly whole: boolean; readonly signal: AbortSignal }): Promise<boolean> {
    if (!whole) return this.#compare(signal).then(() => true);
    let failure: DragonflyError | undefined;
    try {
      if (this.#check) await this.#check.verify(this.#stored.contentLengthBytes ?? 0);
      else await this.#compare(signal);
    } catch (error) {
      failure = toDragonflyError(error); // the disk may be at fault
    }
    const stored = this.#stored;
    const corrupt = await corruptPieces(stored, { isCached: nativeIo()?.isCached, signal });
    if (corrupt.length === 0 && failure) throw failure;
    if (corrupt.length > 0) this.#check?.reset(); // before the pieces come again
    for (const piece of corrupt) stored.index.dropCorrupt(piece);
    return corrupt.length === 0;
  }

  /** Compares pieces that nobody has vouched for with the origin. */
  async #compare(signal: AbortSignal): Promise<void> {
    const forged = (await this.pieces?.corrupt()) ?? [];
    if (forged.length > 0) this.#report(forged);
    const given = this.#openPieces();
    const { disableBackToSource, onlyOpened } = this.#request;
    if (given.length === 0 || disableBackToSource === true || onlyOpened === true) return;
    const { sources } = this.#scope.context;
    const differing = await differsFromOrigin(this.#stored, { source: this.#request, sources, signal, given });
    if (differing.length > 0) this.#report(differing);
    this.#scope.session?.confirmed();
  }

  /** Pieces for which only the node that gave them vouches. */
  #openPieces(): PieceRecord[] {
    const { pieces } = this;
    if (!this.onHearsay) return [];
    return this.#stored
      .pieceRecords()
      .filter((piece) => piece.source !== 'origin' && piece.length > 0 && pieces?.isUnproven(piece) !== false);
  }

  /** Reports who gave these pieces. Throws DIGEST_MISMATCH. */
  #report(corrupt: readonly PieceRecord[]): never {
    for (const piece of corrupt) {
      const { source, number } = piece;
      this.#scope.context.logger.error(
        { taskId: this.#stored.id, peer: source, piece: number },
        'a parent gave what the origin does not have',
      );
      this.#scope.machine.take({ kind: 'parent-lied', parentId: source, piece: number });
    }
    throw new DragonflyError('DIGEST_MISMATCH', 'the content other nodes gave is not what the origin has');
  }

  finish(): void {
    this.#stored.finish(this.#check && { digest: this.#check.expected });
  }

  /** Starts over, for content that is fetched again from the origin. */
  reset(): void {
    this.#unproven = false;
    this.pieces?.reset();
    this.#check?.reset();
  }
}
