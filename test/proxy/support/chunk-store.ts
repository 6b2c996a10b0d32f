/**
 * A chunk store as clients of Xet know it: they upload to it, and what they uploaded is put together for them. Each address it
 * gives is signed for one range, and good for that alone. It counts what it gives.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

interface Run {
  readonly start: number;
  readonly end: number;
}

interface StoredXorb {
  readonly bytes: Buffer;
  /** Where each chunk begins, and the last one ends. */
  readonly offsets: readonly number[];
}

interface StoredTerm {
  readonly hash: string;
  readonly unpacked_length: number;
  readonly range: Run;
}

const footer = Buffer.from('XETBLOB');
const fileEntryBytes = 48;

export class ChunkStore {
  readonly #xorbs = new Map<string, StoredXorb>();
  readonly #files = new Map<string, readonly StoredTerm[]>();
  readonly #key = randomBytes(16);
  /** Bytes of chunks that were given. */
  givenBytes = 0;
  /** Requests for how files are put together, by the token that came with them. */
  readonly asked: string[] = [];
  /** Gives other bytes than it was given. */
  lies = false;
  /** So many requests for chunks are refused as those of old addresses are. */
  expires = 0;

  /** @param path below the store; undefined when it is not for it. @param mayRead judges the token of a caller. */
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    { path, base, mayRead }: { path: string; base: string; mayRead: (token: string) => boolean },
  ): Promise<void> {
    const upload = /^\/v1\/xorbs\/default\/([0-9a-f]{64})$/.exec(path)?.[1];
    if (request.method === 'POST') {
      const body = await bodyOf(request);
      if (upload !== undefined) this.#xorbs.set(upload, storedXorb(body));
      else if (path === '/v1/shards') this.#takeShard(body);
      else return send(response, 404);
      return send(response, 200, JSON.stringify({ was_inserted: true, result: 1 }));
    }
    const [, xorb] = /^\/xorb\/([0-9a-f]{64})$/.exec(path) ?? [];
    if (xorb !== undefined) return this.#giveRange(request, response, xorb);
    const [, file = ''] = /^\/v1\/reconstructions\/([0-9a-f]{64})$/.exec(path) ?? [];
    const terms = this.#files.get(file);
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    if (!terms) return send(response, 404);
    this.asked.push(token);
    if (!mayRead(token)) return send(response, 401);
    send(response, 200, JSON.stringify(this.#reconstruction(terms, base)));
  }

  #takeShard(shard: Buffer): void {
    const runs = (at: number): [StoredTerm, number] => {
      const [length, start, end] = [36, 40, 44].map((offset) => shard.readUInt32LE(at + offset));
      const range = { start: start ?? 0, end: end ?? 0 };
      return [{ hash: hashAt(shard, at), unpacked_length: length ?? 0, range }, at + fileEntryBytes];
    };
    for (let at = fileEntryBytes; ;) {
      const file = hashAt(shard, at);
      if (file === 'f'.repeat(64)) return;
      const flags = shard.readUInt32LE(at + 32);
      const count = shard.readUInt32LE(at + 36);
      at += fileEntryBytes;
      const terms: StoredTerm[] = [];
      for (let index = 0; index < count; index += 1) {
        const [term, next] = runs(at);
        terms.push(term);
        at = next;
      }
      at += fileEntryBytes * ((flags >>> 31 === 1 ? count : 0) + ((flags >>> 30) & 1));
      this.#files.set(file, terms);
    }
  }

  #reconstruction(terms: readonly StoredTerm[], base: string): unknown {
    const fetches = [...Map.groupBy(terms, ({ hash }) => hash)].map(([hash, used]) => {
      const offsets = this.#xorbs.get(hash)?.offsets ?? [];
      const ranges = joined(used.map(({ range }) => range));
      return [
        hash,
        ranges.map((range) => {
          const start = offsets[range.start] ?? 0;
          const end = (offsets[range.end] ?? 0) - 1;
          const signature = this.#sign(hash, `bytes=${start}-${end}`);
          return { range, url: `${base}/xorb/${hash}?X-Signature=${signature}`, url_range: { start, end } };
        }),
      ] as const;
    });
    return { offset_into_first_range: 0, terms, fetch_info: Object.fromEntries(fetches) };
  }

  #giveRange(request: IncomingMessage, response: ServerResponse, hash: string): void {
    const { range = '' } = request.headers;
    const isSigned = request.url?.endsWith(`?X-Signature=${this.#sign(hash, range)}`) === true;
    const [, start = 0, end = 0] = (/^bytes=(\d+)-(\d+)$/.exec(range) ?? []).map(Number);
    const bytes = this.#xorbs.get(hash)?.bytes;
    const isOld = this.expires > 0;
    if (isOld) this.expires -= 1;
    if (!isSigned || !bytes || isOld) return send(response, 403);
    const body = Buffer.from(bytes.subarray(start, end + 1));
    if (this.lies) body.writeUInt8(body.readUInt8(20) ^ 1, 20);
    this.givenBytes += body.length;
    response.writeHead(206, {
      'content-length': body.length,
      'content-range': `bytes ${start}-${end}/${bytes.length}`,
      etag: `"${hash}"`,
    });
    response.end(body);
  }

  #sign(hash: string, range: string): string {
    return createHmac('sha256', this.#key).update(`${hash}\n${range}`).digest('hex');
  }
}

function storedXorb(bytes: Buffer): StoredXorb {
  const offsets = [0];
  for (let at = 0; at < bytes.length && !bytes.subarray(at, at + footer.length).equals(footer);) {
    at += 8 + bytes.readUIntLE(at + 1, 3);
    offsets.push(at);
  }
  return { bytes, offsets };
}

/** In order, those that touch as one. */
function joined(ranges: readonly Run[]): Run[] {
  const result: Run[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last && range.start <= last.end)
      result[result.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
    else result.push(range);
  }
  return result;
}

function hashAt(bytes: Buffer, at: number): string {
  return Buffer.from(bytes.subarray(at, at + 32))
    .swap64()
    .toString('hex');
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for await (const block of request) blocks.push(block as Buffer);
  return Buffer.concat(blocks);
}

function send(response: ServerResponse, status: number, body = ''): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
