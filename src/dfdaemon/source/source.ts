/**
 * The interface of every origin protocol: one file per protocol, one conformance suite. A source never retries on its
 * own and knows nothing of the swarm; the task decides.
 */
import type { Bundle } from '../../core/bundle/bundle.ts';
import type { ByteRange } from '../../core/byte-range.ts';
import type { Caller } from '../../rpc/server/caller.ts';

/** Credentials and settings a request carries for its origin; never logged, never stored with the task. */
export interface SourceOptions {
  /** On whose behalf the origin is asked, which decides where the request may go. Absent: the default of the Sources object. */
  readonly caller?: Caller | undefined;
  readonly header: Readonly<Record<string, string>>;
  /** PEM of certificate authorities to trust for this origin, in addition to the system's. */
  readonly caPem?: readonly string[] | undefined;
  /** Turns off verification of the origin's certificate; set only by a configuration that names the host, or for an object store. */
  readonly insecureSkipVerify?: boolean | undefined;
  readonly objectStorage?: Readonly<Record<string, string | boolean | undefined>> | undefined;
  readonly hdfs?: { readonly delegationToken?: string | undefined } | undefined;
  readonly hub?:
    | { readonly token?: string | undefined; readonly revision: string; readonly baseUrl?: string | undefined }
    | undefined;
  /** The URL is that of a directory, and these of its files are what is asked for, one behind the other. */
  readonly bundle?: Bundle | undefined;
}

export interface SourceRequest extends SourceOptions {
  readonly url: string;
  /** Absent: the whole object from its first byte. */
  readonly range?: ByteRange | undefined;
  /** Used instead of `range`: the last bytes, this many. A source that does not know where they begin answers with the whole object. */
  readonly suffixBytes?: number | undefined;
  /** The ETag or Last-Modified that the object must still have; otherwise SOURCE_CHANGED. */
  readonly validator?: string | undefined;
  readonly signal: AbortSignal;
}

/** Metadata of the object, from the origin's answer to the first request. */
export interface SourceObject {
  /** Undefined when the origin does not say (chunked): then the content ends where the body ends. */
  readonly contentLengthBytes: number | undefined;
  /** True when the origin supports byte ranges. */
  readonly ranges: boolean;
  /** The ETag, otherwise Last-Modified; proves that the object has not changed. */
  readonly validator: string | undefined;
  /** The header of the origin's answer that later readers get: lower-case names, no hop-by-hop fields, no cookies. */
  readonly header: Readonly<Record<string, string>>;
}

/** Receives the body in arrival order; a promise returned is awaited before more is read (back-pressure). */
export type ByteSink = (block: Buffer) => void | Promise<void>;

export interface SourceBody extends SourceObject {
  /** The position of the body's first byte in the content: the range's start, 0 for a whole answer. */
  readonly startBytes: number;
  /** The number of bytes this body will deliver; undefined when unknown. */
  readonly lengthBytes: number | undefined;
  /** Delivers the whole body to the sink, once; the block is only valid until the sink's promise settles. */
  readTo(sink: ByteSink): Promise<void>;
  /** Drops the rest of the body and frees the connection. */
  cancel(): void;
}

export interface SourceEntry {
  readonly url: string;
  readonly contentLengthBytes: number;
  readonly isDirectory: boolean;
  /** Of a file, where the listing tells it: ETag, else Last-Modified, as `SourceObject.validator`. */
  readonly validator?: string | undefined;
  /** Likewise: `sha256:…`, or `git-sha1:…` as git names files. */
  readonly digest?: string | undefined;
}

export interface Source {
  /** URL schemes without colon. */
  readonly schemes: readonly string[];
  /**
   * Sends one request and resolves when the answer's header is there.
   * Errors: SOURCE_STATUS with the origin's status and header, SOURCE_UNREACHABLE, SOURCE_CHANGED.
   */
  open(request: SourceRequest): Promise<SourceBody>;
  /** Metadata only, by the cheapest request that yields it. */
  stat(request: SourceRequest): Promise<SourceObject>;
  /** Entries directly below a directory URL; UNSUPPORTED when the protocol has none. */
  list(request: SourceRequest): AsyncIterable<SourceEntry>;
}
