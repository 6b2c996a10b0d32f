/**
 * One blob from one registry to another, as it comes: nothing of it stays here. An upload that breaks goes on where the target says
 * that it is, and from the start where the target does not know any more; the target compares what it has with the digest.
 */
import type { Readable } from 'node:stream';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { RateLimiter } from '../../core/rate-limiter.ts';
import type { Descriptor } from '../../core/oci/manifest.ts';
import { replicationUploadTries } from '../limits.ts';
import { requireStatus } from './registry-pause.ts';
import type { RegistryRepository } from './registry-repository.ts';

export interface BlobCopy {
  readonly source: RegistryRepository;
  readonly target: RegistryRepository;
  readonly blob: Pick<Descriptor, 'digest' | 'sizeBytes'>;
  readonly rate: RateLimiter;
  readonly signal: AbortSignal;
}

interface Upload {
  readonly url: URL;
  readonly offset: number;
}

/** @returns bytes that went to the target; none where it has the blob. Throws SOURCE_STATUS, SOURCE_UNREACHABLE, RESOURCE_EXHAUSTED, DIGEST_MISMATCH. */
export async function copyBlob(copy: BlobCopy): Promise<number> {
  const { target, blob, signal } = copy;
  if (await target.hasBlob(blob.digest, signal)) return 0;
  let sent = 0;
  let upload: Upload = { url: await target.beginUpload(signal), offset: 0 };
  for (let failures = 0; ;) {
    const count = (bytes: number): void => void (sent += bytes);
    try {
      await finish(copy, await sendRest(copy, upload, count));
      return sent;
    } catch (error) {
      signal.throwIfAborted();
      failures += 1;
      if (failures >= replicationUploadTries || !isWorthAnother(error)) throw error;
      const now = await standOf(copy, upload.url).catch(() => undefined);
      // What got further begins its tries anew.
      if (now && now.offset > upload.offset) failures = 0;
      upload = now ?? { url: await target.beginUpload(signal), offset: 0 };
    }
  }
}

/** A refusal is final; a line that broke, a server that fell over and a credential that ended in between are not. */
function isWorthAnother(error: unknown): boolean {
  const { code, details } = toDragonflyError(error);
  if (code === 'SOURCE_UNREACHABLE') return true;
  const status = Number(details?.['statusCode']);
  return code === 'SOURCE_STATUS' && (status === 401 || status === 404 || status === 416 || status >= 500);
}

/** @returns where the upload is to be ended. */
async function sendRest(
  { source, target, blob, rate, signal }: BlobCopy,
  { url, offset }: Upload,
  count: (bytes: number) => void,
): Promise<URL> {
  if (blob.sizeBytes > 0 && offset >= blob.sizeBytes) return url;
  const { content, header } = await source.openBlob(blob.digest, offset, signal);
  const { body, failure } = paced(content, { rate, count, signal });
  try {
    const length = header('content-length');
    const sent: Record<string, string> = { 'content-type': 'application/octet-stream' };
    if (length !== undefined) sent['content-length'] = length;
    if (length !== undefined && offset > 0) sent['content-range'] = `${offset}-${offset + Number(length) - 1}`;
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
  end.searchParams.set('digest', blob.digest);
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
  { rate, count, signal }: { rate: RateLimiter; count: (bytes: number) => void; signal: AbortSignal },
): { body: Readable; failure: () => unknown } {
  let failed: unknown;
  const passed = async function* (blocks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const block of blocks) {
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
