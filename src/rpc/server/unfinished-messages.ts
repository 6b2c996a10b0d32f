/**
 * Bounds the memory for messages that have begun but not ended. The gRPC library buffers each of them, up to its
 * maximum length, on every stream, before anybody's rights are checked.
 */
import diagnostics from 'node:diagnostics_channel';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { plainAddress } from '../../core/net/own-address.ts';
import { callerShareOfUnfinished, maxUnfinishedBytes } from '../limits.ts';
import { identityOf } from '../member-identity.ts';

const streamCreated = 'http2.server.stream.created';
const prefixBytes = 5;

/** One for the whole process, whose memory it is. */
const held = { bytes: 0, byCaller: new Map<string, number>() };
let users = 0;

/** Until disposed, streams of gRPC that hold too much are ended. */
export function boundUnfinishedMessages(): Disposable {
  users += 1;
  if (users === 1) diagnostics.subscribe(streamCreated, onCreated);
  return {
    [Symbol.dispose]: () => {
      users -= 1;
      if (users === 0) diagnostics.unsubscribe(streamCreated, onCreated);
    },
  };
}

function onCreated(message: unknown): void {
  const { stream, headers } = message as { stream: ServerHttp2Stream; headers: { 'content-type'?: string } };
  if (headers['content-type']?.startsWith('application/grpc') !== true) return;
  // A separate listener would make the stream flow before the library listens, so this one wraps the library's.
  const onListener = (event: string | symbol): void => {
    if (event !== 'data') return;
    stream.off('newListener', onListener);
    watch(stream);
  };
  stream.on('newListener', onListener);
}

function watch(stream: ServerHttp2Stream): void {
  const messages = new MessageLengths();
  let own = 0;
  let caller: string | undefined;
  const hold = (bytes: number): void => {
    if (bytes === own) return;
    caller ??= callerOf(stream);
    own = change(caller, own, bytes);
  };
  stream.on('data', (chunk: Buffer) => {
    hold(messages.take(chunk));
    if (own === 0 || caller === undefined) return;
    const byCaller = held.byCaller.get(caller) ?? 0;
    const isAlone = own === byCaller; // everybody may have one message at a time while there is room
    if (held.bytes <= maxUnfinishedBytes && (isAlone || byCaller <= maxUnfinishedBytes * callerShareOfUnfinished))
      return;
    stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });
  stream.once('close', () => hold(0));
}

/** @returns the stream's new size. */
function change(caller: string, from: number, to: number): number {
  held.bytes += to - from;
  const left = (held.byCaller.get(caller) ?? 0) + to - from;
  if (left > 0) held.byCaller.set(caller, left);
  else held.byCaller.delete(caller);
  return to;
}

function callerOf(stream: ServerHttp2Stream): string {
  const socket = stream.session?.socket as Partial<TLSSocket> | undefined;
  const names = socket?.getPeerCertificate?.()?.subjectaltname;
  return identityOf(names)?.hostId ?? plainAddress(socket?.remoteAddress ?? '');
}

/** Tracks the message boundaries of one stream: a byte of flags, four of length, the message. */
export class MessageLengths {
  readonly #prefix = Buffer.alloc(prefixBytes);
  #prefixHas = 0;
  /** Remaining bytes of the current message. */
  #left = 0;
  #has = 0;

  /** Returns how many bytes the incomplete message has so far. */
  take(chunk: Buffer): number {
    for (let at = 0; at < chunk.length;) {
      if (this.#prefixHas < prefixBytes) {
        const count = chunk.copy(this.#prefix, this.#prefixHas, at, at + prefixBytes - this.#prefixHas);
        this.#prefixHas += count;
        at += count;
        if (this.#prefixHas < prefixBytes) break;
        this.#left = this.#prefix.readUInt32BE(1);
      } else {
        const count = Math.min(this.#left, chunk.length - at);
        this.#left -= count;
        this.#has += count;
        at += count;
      }
      if (this.#prefixHas === prefixBytes && this.#left === 0) {
        this.#prefixHas = 0;
        this.#has = 0;
      }
    }
    return this.#prefixHas + this.#has;
  }
}
