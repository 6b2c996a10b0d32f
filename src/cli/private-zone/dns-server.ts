/** Sends one update to a DNS server. It uses TCP, because an update may have any length, and the answer cannot come from a forged address. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { DragonflyError } from '../../core/errors.ts';
import { checkAnswer, updateMessage, type Records, type TsigKey } from './dns-update.ts';

export interface DnsServer {
  readonly host: string;
  readonly port: number;
  readonly key: TsigKey | undefined;
}

const timeoutMs = 5_000;
const maxAnswerBytes = 65_535;

/** Throws UNAVAILABLE when the server does not answer or refuses. */
export async function sendUpdate(server: DnsServer, records: Records, signal: AbortSignal): Promise<void> {
  const message = updateMessage(records, server.key, randomInt(65_536), Date.now());
  const socket = connect({ host: server.host, port: server.port });
  const ends = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    await once(socket, 'connect', { signal: ends });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.bytes.length);
    socket.write(Buffer.concat([length, message.bytes]));
    checkAnswer(await answerOf(socket, ends), message, server.key);
  } catch (error) {
    if (error instanceof DragonflyError) throw error;
    throw new DragonflyError('UNAVAILABLE', `the DNS server at ${server.host}:${server.port} does not answer`, {
      hint: 'Check --server; updates go over TCP.',
      cause: error,
    });
  } finally {
    socket.destroy();
  }
}

async function answerOf(socket: Socket, signal: AbortSignal): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  const stop = (): void => void socket.destroy(new Error('no answer in time'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const part of socket) {
      bytes = Buffer.concat([bytes, part as Buffer]);
      if (bytes.length > maxAnswerBytes + 2) break;
      if (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0))
        return bytes.subarray(2, 2 + bytes.readUInt16BE(0));
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  throw new Error('the connection ended before the answer');
}
