/** Passes on the origin's answer to the client's own request, and keeps it if it is small and may be kept. */
import type { IncomingMessage } from 'node:http';
import { relay } from '../wire/direct.ts';
import type { ClientCall } from '../client-call.ts';
import type { SmallAnswers } from './small-answers.ts';

export async function relayOwn(call: ClientCall, message: IncomingMessage, small: SmallAnswers): Promise<void> {
  call.record.way = 'direct';
  small.keep(call.url, call.header, message);
  await relay(call, message);
}
