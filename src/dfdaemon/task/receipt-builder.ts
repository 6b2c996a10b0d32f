/** Counts where the bytes of one download came from. */
import type { Receipt } from './open-task.ts';
import type { ParentAddress } from './exchange/parent-link.ts';

interface ParentCount {
  readonly ip: string;
  readonly hostname: string;
  readonly idc: string;
  bytes: number;
  pieces: number;
}

export class ReceiptBuilder {
  readonly #taskId: string;
  readonly #peerId: string;
  readonly #url: string;
  readonly #startedMs = performance.now();
  readonly #parents = new Map<string, ParentCount>();
  #firstByteMs: number | undefined;
  #originBytes = 0;
  #localBytes = 0;
  #originRequests = 0;
  #retries = 0;
  #waits = 0;
  #waitedMs = 0;
  #waitingSinceMs: number | undefined;

  constructor(task: { taskId: string; peerId: string; url: string }) {
    this.#taskId = task.taskId;
    this.#peerId = task.peerId;
    this.#url = task.url;
  }

  local(bytes: number): void {
    this.#localBytes += bytes;
    if (bytes > 0) this.#firstByteMs ??= 0;
  }

  originRequest(): void {
    this.#originRequests += 1;
  }

  retry(): void {
    this.#retries += 1;
  }

  /** Whether nothing can be requested from anybody at the moment; one wait lasts until that changes. */
  waiting(waits: boolean): void {
    const nowMs = performance.now();
    if (waits && this.#waitingSinceMs === undefined) {
      this.#waitingSinceMs = nowMs;
      this.#waits += 1;
    } else if (!waits && this.#waitingSinceMs !== undefined) {
      this.#waitedMs += nowMs - this.#waitingSinceMs;
      this.#waitingSinceMs = undefined;
    }
  }

  /** @param parentId undefined for the origin. @param parent its address, while it is known. */
  piece(bytes: number, parentId: string | undefined, parent: ParentAddress | undefined): void {
    this.#firstByteMs ??= performance.now() - this.#startedMs;
    if (parentId === undefined) {
      this.#originBytes += bytes;
      return;
    }
    const count = this.#parents.get(parentId) ?? { ip: '', hostname: '', idc: '', bytes: 0, pieces: 0 };
    if (parent) Object.assign(count, { ip: parent.ip, hostname: parent.hostname, idc: parent.idc });
    count.bytes += bytes;
    count.pieces += 1;
    this.#parents.set(parentId, count);
  }

  finish(contentLengthBytes: number, verifiedDigest: string | undefined): Receipt {
    const costMs = performance.now() - this.#startedMs;
    this.waiting(false);
    return {
      taskId: this.#taskId,
      peerId: this.#peerId,
      url: this.#url,
      contentLengthBytes,
      bytesFromOrigin: this.#originBytes,
      bytesFromLocal: this.#localBytes,
      originRequests: this.#originRequests,
      parents: [...this.#parents].map(([peerId, count]) => ({ peerId, ...count })),
      waits: this.#waits,
      waitedMs: this.#waitedMs,
      retries: this.#retries,
      verifiedDigest,
      firstByteMs: this.#firstByteMs ?? costMs,
      costMs,
      finishedAt: new Date(),
    };
  }
}
