/** Passes the origin's answer to the client's own request on; what is small and may be kept of it is kept. */
import type { IncomingMessage } from 'node:http';
import { relay } from '../wire/direct.ts';
import type { Exchange } from '../exchange.ts';
import type { SmallAnswers } from './small-answers.ts';

export async function relayOwn(exchange: Exchange, message: IncomingMessage, small: SmallAnswers): Promise<void> {
  exchange.record.way = 'direct';
  small.keep(exchange.url, exchange.header, message);
  await relay(exchange, message);
}
