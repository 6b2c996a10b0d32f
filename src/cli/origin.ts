/**
 * What a command line tool needs to read origins without a daemon. The entry point passes in the daemon's own sources,
 * so that tools and daemon read origins by the same code although neither imports the other.
 */
import type { ByteRange } from '../core/byte-range.ts';

export interface OriginRequest {
  readonly url: string;
  readonly header: Readonly<Record<string, string>>;
  readonly range?: ByteRange | undefined;
  readonly objectStorage?: Readonly<Record<string, string | boolean | undefined>> | undefined;
  readonly hdfs?: { readonly delegationToken?: string | undefined } | undefined;
  readonly hub?:
    | { readonly token?: string | undefined; readonly revision: string; readonly baseUrl?: string | undefined }
    | undefined;
  readonly signal: AbortSignal;
}

export interface OriginBody {
  readonly contentLengthBytes: number | undefined;
  readonly startBytes: number;
  readonly lengthBytes: number | undefined;
  /** Delivers blocks in order; each is valid only until the sink's promise settles. */
  readTo(sink: (block: Buffer) => void | Promise<void>): Promise<void>;
  cancel(): void;
}

export interface OriginEntry {
  readonly url: string;
  readonly contentLengthBytes: number;
  readonly isDirectory: boolean;
  /** Of a file, where the listing tells it. */
  readonly validator?: string | undefined;
  readonly digest?: string | undefined;
}

export interface Origins extends AsyncDisposable {
  open(request: OriginRequest): Promise<OriginBody>;
  list(request: OriginRequest): AsyncIterable<OriginEntry>;
}

export type OpenOrigins = () => Promise<Origins>;
