/** One peer's stream to a scheduler, from its first message until the scheduler has accepted it. */
import type { Metadata } from '@grpc/grpc-js';
import type {
  AnnouncePeerRequest,
  AnnouncePeerResponse,
  SchedulerDefinition,
} from '../../gen/scheduler/v2/scheduler.ts';
import type { RpcClient } from './client.ts';
import { announcesSwarm } from './features.ts';

export interface PeerStream {
  /** `host:port` of the scheduler that accepted the stream. */
  readonly address: string;
  /** Whether it supports this implementation's extensions. */
  readonly extended: boolean;
  readonly responses: AsyncIterable<AnnouncePeerResponse>;
  /** Rejects with UNAVAILABLE (see silenceOf) when the scheduler gives no sign of life, or with the signal's reason. */
  readonly silence: (signal: AbortSignal) => Promise<never>;
}

/** The same messages with the first one changed. */
export async function* withFirst<T>(
  messages: AsyncIterable<T>,
  change: (first: T) => Promise<T>,
): AsyncGenerator<T, void> {
  let isFirst = true;
  for await (const message of messages) {
    yield isFirst ? await change(message) : message;
    isFirst = false;
  }
}

/** Resolves when the server's features are known. @param alive rejects when the server is given up meanwhile. */
export async function openPeerStream(
  { address, client }: { readonly address: string; readonly client: RpcClient<typeof SchedulerDefinition> },
  requests: AsyncIterable<AnnouncePeerRequest>,
  signal: AbortSignal,
  alive: ((signal: AbortSignal) => Promise<never>) | undefined,
): Promise<Omit<PeerStream, 'silence'>> {
  const header = Promise.withResolvers<Metadata | undefined>();
  const silent = new AbortController();
  const answers = client
    .announcePeer(requests, { signal: AbortSignal.any([signal, silent.signal]), onMetadata: header.resolve })
    [Symbol.asyncIterator]();
  const first = answers.next();
  // The header comes before the first answer; a stream that ends without either ends the wait, too.
  first.then(() => header.resolve(undefined), header.reject);
  const accepted = new AbortController();
  alive?.(AbortSignal.any([signal, accepted.signal])).catch(
    (error: unknown) => accepted.signal.aborted || silent.abort(error),
  );
  const metadata = await header.promise.finally(() => accepted.abort());
  const responses = async function* (): AsyncGenerator<AnnouncePeerResponse, void, undefined> {
    try {
      for (let result = await first; result.done !== true; result = await answers.next()) yield result.value;
    } finally {
      await answers.return?.();
    }
  };
  return { address, extended: metadata !== undefined && announcesSwarm(metadata), responses: responses() };
}
