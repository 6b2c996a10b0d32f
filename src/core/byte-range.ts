/** HTTP byte ranges (RFC 9110 §14): parsing and resolving against a known length. */
import { DragonflyError } from './errors.ts';

/** A resolved part of the content. */
export interface ByteRange {
  readonly start: number;
  readonly length: number;
}

/** One range-spec as written; `suffix` counts from the end. */
export type RangeSpec = { readonly first: number; readonly last: number | undefined } | { readonly suffix: number };

const maxRanges = 64; // more would be a way to make a server work for nothing

/** Parses a Range header. Undefined when the unit is not bytes or the syntax is wrong: such a header must be ignored. */
export function parseRangeHeader(header: string): RangeSpec[] | undefined {
  const match = /^\s*bytes\s*=\s*(.+)$/i.exec(header);
  if (!match?.[1]) return undefined;
  const texts = match[1].split(',');
  if (texts.length > maxRanges) return undefined;
  const specs: RangeSpec[] = [];
  for (const text of texts) {
    const parts = /^(\d*)\s*-\s*(\d*)$/.exec(text.trim());
    const [first, last] = [parts?.[1] ?? '', parts?.[2] ?? ''];
    if (!parts || (first === '' && last === '')) return undefined;
    if (first === '') specs.push({ suffix: Number(last) });
    else {
      if (last !== '' && Number(last) < Number(first)) return undefined;
      specs.push({ first: Number(first), last: last === '' ? undefined : Number(last) });
    }
  }
  return specs;
}

/** The bytes that a spec selects in content of this length; undefined when it selects none. */
export function resolveRange(spec: RangeSpec, contentLengthBytes: number): ByteRange | undefined {
  if ('suffix' in spec) {
    const length = Math.min(spec.suffix, contentLengthBytes);
    return length === 0 ? undefined : { start: contentLengthBytes - length, length };
  }
  if (spec.first >= contentLengthBytes) return undefined;
  const last = Math.min(spec.last ?? contentLengthBytes - 1, contentLengthBytes - 1);
  return { start: spec.first, length: last - spec.first + 1 };
}

/** Like resolveRange, but throws the error that the client must see when the range is unsatisfiable. */
export function requireRange(spec: RangeSpec, contentLengthBytes: number): ByteRange {
  const range = resolveRange(spec, contentLengthBytes);
  if (range) return range;
  throw outside(contentLengthBytes);
}

export function outside(contentLengthBytes: number): DragonflyError {
  return new DragonflyError(
    'RANGE_NOT_SATISFIABLE',
    `the range lies outside the ${contentLengthBytes} bytes of the content`,
  );
}

export function formatContentRange(range: ByteRange, contentLengthBytes: number): string {
  return `bytes ${range.start}-${range.start + range.length - 1}/${contentLengthBytes}`;
}

/** `bytes a-b/total`; total undefined for `*`. Undefined when the header is malformed; some servers write `bytes=a-b/total`. */
export function parseContentRange(header: string): { range: ByteRange; totalBytes: number | undefined } | undefined {
  const match = /^bytes[ =]+(\d+)-(\d+)\/(\d+|\*)$/i.exec(header.trim());
  if (!match) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  const totalBytes = match[3] === '*' ? undefined : Number(match[3]);
  if (end < start || (totalBytes !== undefined && end >= totalBytes)) return undefined;
  return { range: { start, length: end - start + 1 }, totalBytes };
}
