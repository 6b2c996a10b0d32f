/**
 * Ends a call's HTTP/2 stream as grpc-go does: after the trailers, whether or not the caller has ended its half.
 *
 * The gRPC library sends the trailers and leaves the caller's half open. The original's Rust client waits for the end
 * of the stream, which then never comes. RFC 9113, section 8.1: a server that has sent a complete answer may ask the
 * client to stop by RST_STREAM with NO_ERROR.
 */
import diagnostics from 'node:diagnostics_channel';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { unsentTrailersCheckMs } from '../limits.ts';

/** Node's documented way to observe streams of a server owned by a library: fires for every server stream of this process. */
const streamCreated = 'http2.server.stream.created';

/** Several servers of one process observe the same streams. */
const watched = new WeakSet<ServerHttp2Stream>();

/** Until disposed, every answered stream is closed. */
export function endAnsweredStreams(): Disposable {
  const onCreated = (message: unknown): void => watch((message as { readonly stream: ServerHttp2Stream }).stream);
  diagnostics.subscribe(streamCreated, onCreated);
  return { [Symbol.dispose]: () => void diagnostics.unsubscribe(streamCreated, onCreated) };
}

function watch(stream: ServerHttp2Stream): void {
  if (watched.has(stream)) return;
  watched.add(stream);
  // The library's own listener runs after this one and sends the trailers.
  stream.once('wantTrailers', () => closeWhenSent(stream, 0));
  stream.once('finish', () => {
    // An error before any message: the header was the whole answer, no trailers follow.
    if (stream.sentHeaders?.['grpc-status'] !== undefined) closeWhenSent(stream, 0);
  });
}

/** A reset overtakes unwritten data, and nothing signals that trailers were written, which a slow reader delays. */
function closeWhenSent(stream: ServerHttp2Stream, checks: number): void {
  if (stream.destroyed || stream.closed) return;
  if (checks > 0 && stream.state.localClose === 1) return stream.close(constants.NGHTTP2_NO_ERROR);
  const again = (): void => closeWhenSent(stream, checks + 1);
  if (checks < 3) setImmediate(again);
  else setTimeout(again, unsentTrailersCheckMs).unref();
}
