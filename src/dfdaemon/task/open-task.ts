/** What a subscriber of a task requests and gets: the one interface that the RPC services, the proxy and the gateway use. */
import type { ByteRange, RangeSpec } from '../../core/byte-range.ts';
import type { Caller } from '../../rpc/server/caller.ts';
import type { SourceBody, SourceOptions } from '../source/source.ts';

/** A request to the origin that is already prepared or sent, to be used as the download's first. */
export interface OpenedOrigin {
  /** The requested range; absent for everything. */
  readonly range?: RangeSpec | undefined;
  /**
   * The body from its first byte; undefined when it was taken elsewhere. Rejects with CANCELLED when the answer is not
   * content: this download then ends, while others go on.
   */
  take(signal: AbortSignal): SourceBody | undefined | Promise<SourceBody | undefined>;
  /** Another node holds or brings the content, so it may arrive before this node would go to the origin. */
  othersBring?(): void;
  /** Whether other requests may be sent to the origin; the download waits for the answer, and ends with CANCELLED if not. */
  othersMayAsk?(): Promise<boolean>;
}

export interface DownloadRequest extends SourceOptions {
  readonly caller: Caller;
  readonly url: string;
  /** The part of the content that this subscriber wants; pieces outside of it are not fetched for it. */
  readonly range?: RangeSpec | undefined;
  /** The reader takes whole pieces, including those at the edges of its range. */
  readonly wholePieces?: boolean | undefined;
  /** Whole-content digest, `algorithm:value`; verified before the last byte is released. */
  readonly digest?: string | undefined;
  /** ETag or Last-Modified that the origin must have from the first byte on, whatever the digest; otherwise SOURCE_CHANGED. */
  readonly validator?: string | undefined;
  readonly tag?: string | undefined;
  readonly application?: string | undefined;
  /** 0..6 as the protocol defines them; 6 by default. */
  readonly priority?: number | undefined;
  readonly filteredQueryParams?: readonly string[] | undefined;
  readonly pieceLengthBytes?: number | undefined;
  readonly contentForCalculatingTaskId?: string | undefined;
  /** The id of imported content, which has no origin: no id is computed. */
  readonly taskId?: string | undefined;
  /** The task id is computed from the credentials, too. */
  readonly secretsInId?: boolean | undefined;
  /** The caller's right to the content was verified before. */
  readonly isGiven?: boolean | undefined;
  readonly blobDigestAsId?: boolean | undefined;
  /** Never go to the origin from this node, not even as the last resort. */
  readonly disableBackToSource?: boolean | undefined;
  /** The caller can ask the origin itself when nobody has the content, so it need not wait for somebody who might bring it. */
  readonly hasFallback?: boolean | undefined;
  /** Go to the origin at once: the scheduler asks this of a seed peer. */
  readonly needBackToSource?: boolean | undefined;
  /** If the scheduler has to send somebody to the origin, it should be this node rather than a seed. Schedulers of the original do not know this. */
  readonly prefersOrigin?: boolean | undefined;
  /** With a range: fetch the rest of the content in the background. */
  readonly prefetch?: boolean | undefined;
  /** The download continues when the last reader has left, because others wait for these pieces. */
  readonly finishAbandoned?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
  /** Bytes per second that the download may take; among several readers the highest limit counts. */
  readonly rateLimit?: number | undefined;
  /** Address of the scheduler that requests this download and waits for this node to register there. */
  readonly scheduler?: string | undefined;
  /** Used by the download that this request starts, if it goes to the origin itself. */
  readonly opened?: OpenedOrigin | undefined;
  /** The content is restricted although the request carries no credentials: its right was proven elsewhere. */
  readonly restricted?: boolean | undefined;
  /** Nothing but `opened` is sent to the origin. */
  readonly onlyOpened?: boolean | undefined;
}

/** A piece that is now on disk and verified. */
export interface FinishedPiece {
  readonly number: number;
  readonly offset: number;
  readonly length: number;
  /** `crc32:<decimal>`. */
  readonly digest: string;
  /** Peer id it came from; undefined for the origin. */
  readonly parentId: string | undefined;
  readonly traffic: 'origin' | 'remote' | 'local';
  readonly costMs: number;
}

/** Where every byte of a finished download came from. */
export interface Receipt {
  readonly taskId: string;
  readonly peerId: string;
  readonly url: string;
  readonly contentLengthBytes: number;
  readonly bytesFromOrigin: number;
  readonly bytesFromLocal: number;
  readonly originRequests: number;
  readonly parents: readonly {
    readonly peerId: string;
    readonly ip: string;
    readonly hostname: string;
    /** The host's location as configured; empty when unknown. */
    readonly idc: string;
    readonly bytes: number;
    readonly pieces: number;
  }[];
  /** How many times, and for how long in total, nothing could be requested from anybody. */
  readonly waits: number;
  readonly waitedMs: number;
  readonly retries: number;
  /** `algorithm:value` of the whole content when it was computed and matched. */
  readonly verifiedDigest: string | undefined;
  readonly firstByteMs: number;
  readonly costMs: number;
  readonly finishedAt: Date;
}

/** What a node knows of content without opening it. */
export interface TaskHead {
  /** Header of the origin's answer, lower-case names. */
  readonly responseHeader: Readonly<Record<string, string>>;
  readonly contentLengthBytes: number;
  /** The whole content is on this node's disk. */
  readonly complete: boolean;
  /** Its origin gives it to some callers only. */
  readonly restricted: boolean;
}

/** Bytes on disk that are ready to be sent: read them from the file by position. */
export interface FileSpan {
  readonly fd: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * One subscriber's view of a task. Opening resolves as soon as the metadata is known; bytes follow as pieces land.
 * Disposing leaves the task; when the last subscriber has left, the download goes on or stops as configured.
 */
export interface OpenTask {
  readonly taskId: string;
  readonly peerId: string;
  /** Header of the origin's answer, lower-case names. */
  readonly responseHeader: Readonly<Record<string, string>>;
  /** Length of the whole content; undefined while the origin does not tell (chunked answer). */
  readonly contentLengthBytes: number | undefined;
  readonly pieceLengthBytes: number;
  /** Range of this subscriber; while the length of the content is unknown it grows until the end. */
  readonly range: ByteRange | undefined;
  /** Everything requested was on disk before. */
  readonly local: boolean;
  /** In order, as soon as they can be sent. Rejects when the download breaks: the content never just ends short. */
  spans(): AsyncIterable<FileSpan>;
  /** Wanted pieces in the order in which they were finished, those already present first. Ends when all are there. */
  pieces(): AsyncIterable<FinishedPiece>;
  /** Resolves when everything requested is on disk and verified. */
  readonly finished: Promise<Receipt>;
  [Symbol.asyncDispose](): Promise<void>;
}
