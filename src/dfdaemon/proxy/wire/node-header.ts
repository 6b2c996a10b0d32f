/** What node:http does to header values of its own accord, undone, so that the bytes we were given are the bytes it writes. */
import type { ClientRequest } from 'node:http';
import { pairs, type HeaderLines } from './header.ts';

/**
 * node:http takes a Content-Disposition that follows a Content-Length for UTF-8 and writes it as Latin-1. Encoded once more,
 * it comes out as it came in.
 */
export function asWrittenByNode(lines: HeaderLines): string[] {
  let lengthSeen = false;
  const result: string[] = [];
  for (const [name, value] of pairs(lines)) {
    const lower = name.toLowerCase();
    if (lower === 'content-length') lengthSeen = Number(value) > 0;
    const recoded = lower === 'content-disposition' && lengthSeen;
    result.push(name, recoded ? Buffer.from(value, 'utf8').toString('latin1') : value);
  }
  return result;
}

/** With an Expect header node:http has the header ready to be written as UTF-8, though its characters are bytes. */
export function asBytes(outgoing: ClientRequest): ClientRequest {
  const { outputData } = outgoing as unknown as { outputData: { encoding: string | undefined }[] };
  for (const part of outputData) part.encoding = 'latin1';
  return outgoing;
}
