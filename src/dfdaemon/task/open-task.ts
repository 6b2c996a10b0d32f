/** What a subscriber of a task asks for and gets. The RPC services, the proxy and the gateway all use this and nothing else. */
import type { ByteRange, RangeSpec } from '../../core/byte-range.ts';
import type { Caller } from '../../rpc/server/caller.ts';
import type { SourceBody, SourceOptions } from '../source/source.ts';

/** A response of the origin that is open already: the one a download would request first. */
export interface OpenedOrigin {
  /** What it asks for; absent: everything. */
  readonly range?: RangeSpec | undefined;
  /**
   * The body from its first byte; undefined when somebody else has taken it. Rejects with CANCELLED when there is an answer
   * that is no content: this download ends then, and others go on.
   */
  take(): SourceBody | undefined | Promise<SourceBody | undefined>;
  /** Somebody else holds the content, or brings it: it may come before this node would be sent to the origin. */
  othersBring?(): void;
  /** Whether the origin may be asked by anything else; the download waits for it, and ends with CANCELLED where it may not. */
  othersMayAsk?(): Promise<boolean>;
}

export interface DownloadRequest extends SourceOptions {
  readonly caller: Caller;
  readonly url: string;
  /** Part of the content this subscriber wants; pieces outside are not fetched for it. */
  readonly range?: RangeSpec | undefined;
  /** The reader takes pieces, and needs those at the edges of its range as a whole. */
  readonly wholePieces?: boolean | undefined;
  /** Whole-content digest, `algorithm:value`; verified before the last byte is released. */
  readonly digest?: string | undefined;
  /** ETag or Last-Modified the origin must have from the first byte on, whatever the digest; otherwise SOURCE_CHANGED. */
  readonly validator?: string | undefined;
  readonly tag?: string | undefined;
  readonly application?: string | undefined;
  /** 0..6 as the protocol defines them; 6 by default. */
  readonly priority?: number | undefined;
  readonly filteredQueryParams?: readonly string[] | undefined;
  readonly pieceLengthBytes?: number | undefined;
  readonly contentForCalculatingTaskId?: string | undefined;
  /** Of imported content, which has no origin: nothing is computed then. */
  readonly taskId?: string | undefined;
  /** The credentials of the request are part of what the id is computed from. */
  readonly secretsInId?: boolean | undefined;
  /** Whoever opens it has seen to it that the caller may have it. */
  readonly isGiven?: boolean | undefined;
  readonly blobDigestAsId?: boolean | undefined;
  /** Never go to the origin from this node, not even as the last resort. */
  readonly disableBackToSource?: boolean | undefined;
  /** The caller is answered by the origin itself when nobody brings the content: it need not wait for somebody who might. */
  readonly hasFallback?: boolean | undefined;
  /** Go to the origin at once: the scheduler asks this of a seed peer. */
  readonly needBackToSource?: boolean | undefined;
  /** This node rather than a seed, should the scheduler send somebody to the origin. One of the original knows no such wish. */
  readonly prefersOrigin?: boolean | undefined;
  /** With a range: fetch the rest of the content in the background. */
  readonly prefetch?: boolean | undefined;
  /** Goes on when the last reader has left: others wait for these pieces. */
  readonly finishAbandoned?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
  /** Bytes per second the download may take; when several read it, the highest of theirs. */
  readonly rateLimit?: number | undefined;
  /** Address of the scheduler that asks for this download: it waits for this node to register there. */
  readonly scheduler?: string | undefined;
  /** For the download that this request starts, should it go to the origin itself. */
  readonly opened?: OpenedOrigin | undefined;
  /** Given to some only, though nothing in the request says so: their right was proven elsewhere. */
  readonly restricted?: boolean | undefined;
  /** The origin is asked by nothing but `opened`. */
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
    /** Where the host is, in its own words; empty when it has not told. */
    readonly idc: string;
    readonly bytes: number;
    readonly pieces: number;
  }[];
  /** Times and total time in which nothing could be asked of anybody. */
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
  /** All of it is on this node's disk. */
  readonly complete: boolean;
}

/** Bytes on disk, ready to be sent: read them by position from the file. */
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
  /** Everything asked for was on disk before this request. */
  readonly local: boolean;
  /** In order, as soon as they can be sent. A broken download rejects: never a short success. */
  spans(): AsyncIterable<FileSpan>;
  /** Wanted pieces in the order they were finished, those already present first. Ends when all are there. */
  pieces(): AsyncIterable<FinishedPiece>;
  /** Resolves when everything asked for is on disk and verified. */
  readonly finished: Promise<Receipt>;
  [Symbol.asyncDispose](): Promise<void>;
}
