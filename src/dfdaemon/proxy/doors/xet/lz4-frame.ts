/** Decodes LZ4 frames, the compression of chunks in xorbs. Their checksums are ignored, because the decoded data is hashed. */

const magic = 0x184d2204;
const storedFlag = 0x8000_0000;
const shortestMatch = 4;

/** @param lengthBytes of the decoded data. Throws RangeError for a frame that contains anything else. */
export function decodeLz4Frame(frame: Buffer, lengthBytes: number): Buffer {
  const output = Buffer.allocUnsafe(lengthBytes);
  let from = headerEnd(frame);
  const hasBlockChecksums = (byteAt(frame, 4) & 0x10) !== 0;
  let written = 0;
  for (;;) {
    requireRoom(from + 4, frame.length);
    const word = frame.readUInt32LE(from);
    from += 4;
    if (word === 0) break;
    const length = word & ~storedFlag;
    requireRoom(from + length, frame.length);
    const block = frame.subarray(from, from + length);
    written = (word & storedFlag) !== 0 ? store(block, output, written) : decodeBlock(block, output, written);
    from += length + (hasBlockChecksums ? 4 : 0);
  }
  if (written !== lengthBytes) throw new RangeError(`the frame holds ${written} of ${lengthBytes} bytes`);
  return output;
}

function headerEnd(frame: Buffer): number {
  requireRoom(7, frame.length);
  if (frame.readUInt32LE(0) !== magic) throw new RangeError('no LZ4 frame');
  const flags = byteAt(frame, 4);
  if (flags >> 6 !== 1) throw new RangeError('an LZ4 frame of another version');
  return 6 + ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0) + 1;
}

function store(block: Buffer, output: Buffer, at: number): number {
  requireRoom(at + block.length, output.length);
  block.copy(output, at);
  return at + block.length;
}

/** Returns where the output ends. */
function decodeBlock(block: Buffer, output: Buffer, start: number): number {
  let from = 0;
  let to = start;
  while (from < block.length) {
    const token = byteAt(block, from++);
    let literals = token >> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255) literals += more = byteAt(block, from++);
    }
    requireRoom(from + literals, block.length);
    requireRoom(to + literals, output.length);
    block.copy(output, to, from, from + literals);
    from += literals;
    to += literals;
    if (from === block.length) break;
    const back = byteAt(block, from) | (byteAt(block, from + 1) << 8);
    from += 2;
    let length = (token & 15) + shortestMatch;
    if ((token & 15) === 15) {
      let more = 255;
      while (more === 255) length += more = byteAt(block, from++);
    }
    if (back === 0 || back > to) throw new RangeError('a match lies before the content');
    requireRoom(to + length, output.length);
    to = repeat(output, { to, back, length });
  }
  return to;
}

/** The source of a copy may overlap the bytes that the copy itself writes. */
function repeat(output: Buffer, { to, back, length }: { to: number; back: number; length: number }): number {
  const end = to + length;
  if (back >= length) {
    output.copyWithin(to, to - back, end - back);
    return end;
  }
  if (back === 1) {
    output.fill(byteAt(output, to - 1), to, end);
    return end;
  }
  for (let at = to; at < end; at += 1) output[at] = byteAt(output, at - back);
  return end;
}

function byteAt(buffer: Buffer, index: number): number {
  const value = buffer[index];
  if (value === undefined) throw new RangeError('the frame ends too early');
  return value;
}

function requireRoom(end: number, length: number): void {
  if (end > length) throw new RangeError('the frame is not what its lengths say');
}
