/**
 * One blob from one registry to another, as it comes: nothing of it stays here. An upload that breaks goes on where the target says
 * that it is, and from the start where the target does not know any more; the target compares what it has with the digest.
 */
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { RateLimiter } from '../../core/rate-limiter.ts';
import type { Descriptor } from '../../core/oci/manifest.ts';
import { firstUploadRestMs, replicationUploadTries, uploadDropTimeoutMs } from '../limits.ts';
import { requireStatus } from './registry-pause.ts';
import type { BlobRest, RegistryRepository } from './registry-repository.ts';

export interface BlobCopy {
  readonly source: RegistryRepository;
  readonly target: RegistryRepository;
  readonly blob: Pick<Descriptor, 'digest' | 'sizeBytes'>;
  readonly rate: RateLimiter;
  /** A repository of the target that has the blob. */
  readonly elsewhere?: string | undefined;
  readonly signal: AbortSignal;
}

interface Upload {
  readonly url: URL;
  readonly offset: number;
}

/** @returns bytes that went to the target; none where it has the blob. Throws SOURCE_STATUS, SOURCE_UNREACHABLE, RESOURCE_EXHAUSTED, DIGEST_MISMATCH, PROTOCOL. */
export async function copyBlob(copy: BlobCopy): Promise<number> {
  const { target, blob, elsewhere, signal } = copy;
  if (await target.hasBlob(blob.digest, signal)) return 0;
  // Some registries know no such thing, or do not allow it.
  const mounted =
    elsewhere === undefined ? undefined : await target.mountBlob(blob.digest, elsewhere, signal).catch(() => undefined);
  if (mounted === true) return 0;
  let sent = 0;
  let upload: Upload | undefined = mounted && { url: mounted, offset: 0 };
  /** Of any upload of this blob: what a target forgets and gets again is no way further. */
  let furthest = 0;
  for (let failures = 0; ;) {
    let isEnding = false;
    try {
      upload ??= { url: await target.beginUpload(signal), offset: 0 };
      const end = await sendRest(copy, upload, (bytes) => void (sent += bytes));
      isEnding = true;
      await finish(copy, end);
      return sent;
    } catch (error) {
      failures += 1;
      if (signal.aborted || failures >= replicationUploadTries || !isWorthAnother(error)) {
        await drop(copy, upload);
        throw error;
      }
      await delay(firstUploadRestMs * 2 ** (failures - 1), undefined, { signal }).catch(() => undefined);
      // Where the last answer was lost, the blob is there and its upload is gone.
      if (isEnding && (await target.hasBlob(blob.digest, signal).catch(() => false))) return sent;
      const now = upload && (await standOf(copy, upload.url).catch(() => undefined));
      if (!now) await drop(copy, upload);
      upload = now;
      // What got further than ever begins its tries anew.
      if (!upload || upload.offset <= furthest) continue;
      furthest = upload.offset;
      failures = 0;
    }
  }
}

/** Also when the push is stopped, which is why it has a time of its own. */
async function drop({ target }: BlobCopy, upload: Upload | undefined): Promise<void> {
  const work = upload && target.dropUpload(upload.url, AbortSignal.timeout(uploadDropTimeoutMs));
  await work?.catch(() => undefined);
}

/**
 * A refusal is final, and so is whatever the source refuses. A line that broke, a server that fell over, and of the target a credential
 * that ended in between and an upload that it forgot, are not.
 */
function isWorthAnother(error: unknown): boolean {
  const { code, details } = toDragonflyError(error);
  if (code === 'SOURCE_UNREACHABLE') return true;
  const status = Number(details?.['statusCode']);
  if (code !== 'SOURCE_STATUS') return false;
  return status >= 500 || (!(error instanceof SourceRefusal) && (status === 401 || status === 404 || status === 416));
}

/** The source's own answer, where the target's would be another matter. */
class SourceRefusal extends DragonflyError {}

async function openRest({ source, blob, signal }: BlobCopy, offset: number): Promise<BlobRest | undefined> {
  try {
    return await source.openBlob(blob.digest, offset, signal);
  } catch (error) {
    const { code, message, hint, details = {} } = toDragonflyError(error);
    if (code !== 'SOURCE_STATUS') throw error;
    // Of a blob whose size its manifest does not tell: there is nothing beyond what was sent.
    if (details['statusCode'] === 416 && offset > 0) return undefined;
    throw new SourceRefusal(code, message, { cause: error, details, ...(hint !== undefined && { hint }) });
  }
}

/** @returns where the upload is to be ended. */
async function sendRest(copy: BlobCopy, { url, offset }: Upload, count: (bytes: number) => void): Promise<URL> {
  const { target, blob, rate, signal } = copy;
  if (blob.sizeBytes > 0 && offset >= blob.sizeBytes) return url;
  const rest = await openRest(copy, offset);
  if (!rest) return url;
  const { content, lengthBytes: length, skipBytes } = rest;
  const { body, failure } = paced(content, { rate, count, signal, skipBytes });
  try {
    const sent: Record<string, string> = { 'content-type': 'application/octet-stream' };
    if (length !== undefined) sent['content-length'] = String(length);
    if (length !== undefined && offset > 0) sent['content-range'] = `${offset}-${offset + length - 1}`;
    const answer = await target.write('PATCH', url, { header: sent, body }, signal);
    return target.uploadUrl(url, requireStatus(url.href, answer, 202));
  } catch (error) {
    throw failure() ?? error; // a source that breaks off is what went wrong, not what became of the request after it
  } finally {
    content.on('error', () => undefined).destroy();
  }
}

async function finish({ target, blob, signal }: BlobCopy, url: URL): Promise<void> {
  const end = new URL(url);
  // Behind what the target said, letter by letter: it may have signed that.
  end.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(blob.digest)}`;
  const header = { 'content-length': '0', 'content-type': 'application/octet-stream' };
  const answer = await target.write('PUT', end, { header, body: '' }, signal);
  if (answer.status === 400 && /DIGEST_INVALID/.test(answer.body))
    throw new DragonflyError('DIGEST_MISMATCH', `what the source sent is not ${blob.digest}`, {
      hint: 'Check the blob at the source.',
    });
  requireStatus(end.href, answer, 201);
}

/** Undefined when the target knows nothing of it any more. */
async function standOf({ target, signal }: BlobCopy, url: URL): Promise<Upload | undefined> {
  const answer = await target.ask(url, signal);
  if (answer.status !== 204) return undefined;
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(answer.header('range') ?? '')?.[1];
  // A first byte alone cannot be told from none.
  const offset = last === undefined || last === '0' ? 0 : Number(last) + 1;
  return { url: answer.header('location') === undefined ? url : target.uploadUrl(url, answer), offset };
}

function paced(
  content: Readable,
  {
    rate,
    count,
    signal,
    skipBytes,
  }: { rate: RateLimiter; count: (bytes: number) => void; signal: AbortSignal; skipBytes: number },
): { body: Readable; failure: () => unknown } {
  let failed: unknown;
  const passed = async function* (blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let toSkip = skipBytes;
    for await (const whole of blocks) {
      const block = whole.subarray(Math.min(toSkip, whole.length));
      toSkip -= whole.length - block.length;
      if (block.length === 0) continue;
      await rate.acquire(block.length, signal);
      count(block.length);
      yield block;
    }
  };
  content.once('error', (error) => {
    failed = new DragonflyError('SOURCE_UNREACHABLE', `the source broke off: ${error.message}`, { cause: error });
  });
  return { body: content.compose(passed) as Readable, failure: () => failed };
}
