/** What the crash tests write: content that follows from the name, in pieces of 64 KiB. */
import { contentBytes } from './fixtures.ts';

export const crashPieceLengthBytes = 64 * 1024;

export function crashContent(name: string): Buffer {
  const seed = Number(name.replace(/\D/g, ''));
  return contentBytes(1 + ((seed * 52_711) % (12 * crashPieceLengthBytes)), seed);
}
