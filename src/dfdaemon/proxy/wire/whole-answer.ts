/**
 * Passes on a short answer once it is complete. Some registries refuse a range with an answer that announces the blob's
 * length and then breaks off; without this, clients would see the status and then an error.
 */
import type { IncomingMessage } from 'node:http';
import type { ClientCall } from '../client-call.ts';
import { proxyLimits } from '../limits.ts';
import { writeAnswerHead } from './direct.ts';

/** False when the body broke off or is long; nothing has been sent then. */
export async function relayWhole(call: ClientCall, message: IncomingMessage): Promise<boolean> {
  const { response, record } = call;
  const blocks: Buffer[] = [];
  let received = 0;
  try {
    for await (const block of message) {
      blocks.push(block as Buffer);
      received += (block as Buffer).length;
      if (received > proxyLimits.smallAnswerBytes) return false;
    }
  } catch {
    return false;
  }
  if (!message.complete || response.destroyed) return false;
  writeAnswerHead(call, message);
  record.bytes = received;
  response.end(Buffer.concat(blocks, received));
  return true;
}
