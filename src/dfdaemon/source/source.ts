/**
 * What every origin protocol gives: one interface, one file per protocol, one conformance suite.
 * A source never retries on its own and never follows a rule of the swarm; the task decides.
 */
import type { ByteRange } from '../../core/byte-range.ts';
import type { Caller } from '../../rpc/server/caller.ts';

/** Credentials and settings a request carries for its origin; never logged, never stored with the task. */
export interface SourceOptions {
  /** In whose name the origin is asked: decides where the request may lead. Absent: as the Sources object says. */
  readonly caller?: Caller | undefined;
  readonly header: Readonly<Record<string, string>>;
  /** PEM of certificate authorities to trust for this origin, in addition to the system's. */
  readonly caPem?: readonly string[] | undefined;
  /** Do not verify the origin's certificate: only ever from a configuration that names the host, or an object storage's. */
  readonly insecureSkipVerify?: boolean | undefined;
  readonly objectStorage?: Readonly<Record<string, string | boolean | undefined>> | undefined;
  readonly hdfs?: { readonly delegationToken?: string | undefined } | undefined;
  readonly hub?:
    | { readonly token?: string | undefined; readonly revision: string; readonly baseUrl?: string | undefined }
    | undefined;
}

export interface SourceRequest extends SourceOptions {
  readonly url: string;
  /** Absent: the whole object from its first byte. */
  readonly range?: ByteRange | undefined;
  /** Instead of `range`: the last so many bytes. A source that cannot tell where they begin answers with the whole. */
  readonly suffixBytes?: number | undefined;
  /** ETag or Last-Modified the object must still have; otherwise SOURCE_CHANGED. */
  readonly validator?: string | undefined;
  readonly signal: AbortSignal;
}

/** Metadata of the object, as the origin's answer to the first request tells it. */
export interface SourceObject {
  /** Undefined when the origin does not say (chunked): then the end of the body is the end of the content. */
  readonly contentLengthBytes: number | undefined;
  /** The origin answers byte ranges. */
  readonly ranges: boolean;
  /** ETag, else Last-Modified: proves that the object has not changed. */
  readonly validator: string | undefined;
  /** Header of the origin's answer that later readers are given: lower-case names, no hop-by-hop, no cookies. */
  readonly header: Readonly<Record<string, string>>;
}

/** Receives the body in arrival order; a promise returned is awaited before more is read (back-pressure). */
export type ByteSink = (block: Buffer) => void | Promise<void>;

export interface SourceBody extends SourceObject {
  /** First byte of the body inside the content: the range's start, 0 for a whole answer. */
  readonly startBytes: number;
  /** Bytes this body will deliver; undefined when unknown. */
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
}

export interface Source {
  /** URL schemes without colon. */
  readonly schemes: readonly string[];
  /**
   * Sends one request and resolves when the answer's header is there.
   * Errors: SOURCE_STATUS with the origin's status and header, SOURCE_UNREACHABLE, SOURCE_CHANGED.
   */
  open(request: SourceRequest): Promise<SourceBody>;
  /** Metadata only, by the cheapest request that tells them. */
  stat(request: SourceRequest): Promise<SourceObject>;
  /** Entries directly below a directory URL; UNSUPPORTED where the protocol has none. */
  list(request: SourceRequest): AsyncIterable<SourceEntry>;
}
