/** How a file is assembled from chunks, as a chunk store describes it: parsed, cut to what a client asks for, and rewritten with other addresses. */
import { z } from 'zod';

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const index = z.int().nonnegative();
/** The end is exclusive. */
const chunkRange = z.object({ start: index, end: index }).refine(({ start, end }) => start < end);
/** The end is part of it. */
const byteRange = z.object({ start: index, end: index }).refine(({ start, end }) => start <= end);

export const reconstructionSchema = z.object({
  offset_into_first_range: index,
  terms: z.array(z.object({ hash, unpacked_length: index, range: chunkRange })),
  fetch_info: z.record(hash, z.array(z.object({ range: chunkRange, url: z.string(), url_range: byteRange }))),
});

export type Reconstruction = z.output<typeof reconstructionSchema>;
export type Term = Reconstruction['terms'][number];

/** A run of chunks of a xorb, and where it is stored. */
export interface XorbRange {
  readonly xorb: string;
  /** The end is exclusive. */
  readonly chunks: { readonly start: number; readonly end: number };
  /** The end is inclusive, as in a Range field. */
  readonly bytes: { readonly start: number; readonly end: number };
}

export interface FetchedRange extends XorbRange {
  /** The URL is signed for exactly these bytes. */
  readonly url: string;
}

export function lengthOf({ bytes: { start, end } }: XorbRange): number {
  return end - start + 1;
}

/** All ranges of which the file consists. */
export function rangesOf({ fetch_info: xorbs }: Reconstruction): FetchedRange[] {
  return Object.entries(xorbs).flatMap(([xorb, fetches]) =>
    fetches.map(({ range: chunks, url, url_range: bytes }) => ({ xorb, chunks, bytes, url })),
  );
}

/** Whether everything is there that its terms need: it describes a whole file, and each term lies in one of the ranges. */
export function isComplete({ offset_into_first_range: offset, terms, fetch_info: xorbs }: Reconstruction): boolean {
  const isFetched = ({ hash: xorb, range }: Term): boolean =>
    xorbs[xorb]?.some(({ range: { start, end } }) => start <= range.start && range.end <= end) === true;
  return offset === 0 && terms.every(isFetched);
}

/**
 * The part that covers these bytes of the file, in whole terms; undefined when the file ends before them. @param whole
 * reconstruction of the file @param last byte of the part
 */
export function partOf(whole: Reconstruction, first: number, last: number): Reconstruction | undefined {
  const terms: Term[] = [];
  let offset = 0;
  let place = 0;
  for (const term of whole.terms) {
    const end = place + term.unpacked_length;
    if (end > first && place <= last) {
      if (terms.length === 0) offset = first - place;
      terms.push(term);
    }
    place = end;
  }
  if (terms.length === 0) return undefined;
  const isWanted = (xorb: string, { start, end }: { start: number; end: number }): boolean =>
    terms.some((term) => term.hash === xorb && start <= term.range.start && term.range.end <= end);
  const fetches = Object.entries(whole.fetch_info)
    .map(([xorb, all]) => [xorb, all.filter(({ range }) => isWanted(xorb, range))] as const)
    .filter(([, all]) => all.length > 0);
  return { offset_into_first_range: offset, terms, fetch_info: Object.fromEntries(fetches) };
}

/** The same part with other addresses. */
export function readdressed(part: Reconstruction, addressOf: (range: XorbRange) => string): Reconstruction {
  const fetches = Object.entries(part.fetch_info).map(([xorb, all]) => [
    xorb,
    all.map((each) => ({ ...each, url: addressOf({ xorb, chunks: each.range, bytes: each.url_range }) })),
  ]);
  return { ...part, fetch_info: Object.fromEntries(fetches) as Reconstruction['fetch_info'] };
}
