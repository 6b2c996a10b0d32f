/** Which form the answer to a Range header takes (RFC 9110 §14 and §15.3.7), and the framing of several ranges. */
import {
  formatContentRange,
  parseRangeHeader,
  resolveRange,
  type ByteRange,
  type RangeSpec,
} from '../../../core/byte-range.ts';

/** What the header asks for; `whole` also stands for headers that must be ignored. */
export type RangeDemand =
  | { readonly kind: 'whole' }
  | { readonly kind: 'one'; readonly spec: RangeSpec }
  | { readonly kind: 'several'; readonly specs: readonly RangeSpec[] };

const clear = /^bytes=(?:\d{1,15}-\d{0,15}|-\d{1,15})(?:, ?(?:\d{1,15}-\d{0,15}|-\d{1,15}))*$/;

/**
 * All servers read the header alike. Where they do not (another unit, a wrong syntax, a suffix of nothing), the origin
 * says what comes of it: some ignore it, others answer 416.
 */
export function isClearRange(header: string | undefined): boolean {
  if (header === undefined) return true;
  const specs = clear.test(header) ? parseRangeHeader(header) : undefined;
  return specs?.every((spec) => !('suffix' in spec) || spec.suffix > 0) === true;
}

export function rangeDemand(header: string | undefined): RangeDemand {
  const specs = header === undefined ? undefined : parseRangeHeader(header);
  const [first] = specs ?? [];
  if (!specs || !first) return { kind: 'whole' };
  return specs.length === 1 ? { kind: 'one', spec: first } : { kind: 'several', specs };
}

/** Stores that take a range from a field of their own (`x-ms-range`) do not say in Vary that it chooses what they send. */
export function hasForeignRange(header: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(header).some((name) => /^(?:x-|request-).*range$/.test(name));
}

/**
 * The satisfiable ranges in the requested order. `whole` when they add up to the content or more, or when more than two
 * overlap: serving those would cost more than the content itself. Empty when none can be satisfied.
 */
export function resolveSeveral(
  specs: readonly RangeSpec[],
  contentLengthBytes: number,
): readonly ByteRange[] | 'whole' {
  const ranges = specs.map((spec) => resolveRange(spec, contentLengthBytes)).filter((range) => range !== undefined);
  const sum = ranges.reduce((total, range) => total + range.length, 0);
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  let overlaps = 0;
  let end = 0;
  for (const range of sorted) {
    if (range.start < end) overlaps += 1;
    end = Math.max(end, range.start + range.length);
  }
  return ranges.length > 0 && (sum >= contentLengthBytes || overlaps > 2) ? 'whole' : ranges;
}

export interface MultipartFrame {
  readonly contentType: string;
  /** Bytes before each range's content, in order. */
  readonly heads: readonly Buffer[];
  readonly tail: Buffer;
  readonly contentLengthBytes: number;
}

/** Framing of a multipart/byteranges body. The boundary must not occur in the content; a random one does not. */
export function multipartFrame(
  ranges: readonly ByteRange[],
  content: { readonly lengthBytes: number; readonly type: string | undefined },
  boundary: string,
): MultipartFrame {
  const heads = ranges.map((range) => {
    const type = content.type === undefined ? '' : `Content-Type: ${content.type}\r\n`;
    const place = formatContentRange(range, content.lengthBytes);
    return Buffer.from(`\r\n--${boundary}\r\n${type}Content-Range: ${place}\r\n\r\n`);
  });
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const bodies = ranges.reduce((total, range) => total + range.length, 0);
  const frames = heads.reduce((total, head) => total + head.length, tail.length);
  return {
    contentType: `multipart/byteranges; boundary=${boundary}`,
    heads,
    tail,
    contentLengthBytes: bodies + frames,
  };
}
