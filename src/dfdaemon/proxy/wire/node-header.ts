/** Undoes what node:http does to header values on its own, so that the bytes we were given are the bytes it writes. */
import type { ClientRequest } from 'node:http';
import { pairs, type HeaderLines } from './header.ts';

/**
 * node:http reads a Content-Disposition after a Content-Length as UTF-8 and writes it as Latin-1. Encoding it once more
 * restores the original bytes.
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

/** With an Expect header node:http would write the header as UTF-8, although each character stands for a byte. */
export function asBytes(outgoing: ClientRequest): ClientRequest {
  const { outputData } = outgoing as unknown as { outputData: { encoding: string | undefined }[] };
  for (const part of outputData) part.encoding = 'latin1';
  return outgoing;
}
