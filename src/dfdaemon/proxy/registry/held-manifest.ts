/** Manifests that nodes of the cluster hold because somebody preheated the image: the last source when a registry is unreachable. */
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import type { DownloadRequest, OpenTask } from '../../task/open-task.ts';
import { proxyLimits } from '../limits.ts';
import { hasDigest } from './manifest-digest.ts';
import { isDigest } from './registry-path.ts';

export interface HeldManifest {
  readonly statusCode: 200;
  readonly statusMessage: 'OK';
  readonly lines: undefined;
  readonly header: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface Opener {
  open(request: DownloadRequest, signal: AbortSignal): Promise<OpenTask>;
}

/** Priority of a download that fails at once when nobody holds the content, and sends no seed to the origin. */
const neverFirst = 2;

/** Undefined when nobody holds it, it is too large, or it does not match its digest. The origin is not asked. */
export async function heldManifest(
  engine: Opener,
  request: DownloadRequest,
  { reference, signal }: { readonly reference: string; readonly signal: AbortSignal },
): Promise<HeldManifest | undefined> {
  try {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(proxyLimits.heldManifestMs)]);
    const asked = { ...request, disableBackToSource: true, prefetch: false, priority: neverFirst };
    await using task = await engine.open(asked, deadline);
    const body = await contentOf(task);
    const type = task.responseHeader['content-type'] ?? 'application/octet-stream';
    if (!body || (isDigest(reference) && !hasDigest(body, type, reference))) return undefined;
    const digest = isDigest(reference) ? reference : `sha256:${createHash('sha256').update(body).digest('hex')}`;
    const header = {
      'content-type': type,
      'content-length': String(body.length),
      'docker-content-digest': digest,
      'x-dragonfly-task-id': task.taskId,
    };
    return { statusCode: 200, statusMessage: 'OK', lines: undefined, header, body };
  } catch {
    return undefined; // the client is then told that the registry is unreachable
  }
}

async function contentOf(task: OpenTask): Promise<Buffer | undefined> {
  const blocks: Buffer[] = [];
  let length = 0;
  for await (const span of task.spans()) {
    length += span.length;
    if (length > proxyLimits.manifestBytes) return undefined;
    const block = Buffer.allocUnsafe(span.length);
    for (let done = 0; done < block.length;) {
      const count = readSync(span.fd, block, done, block.length - done, span.offset + done);
      if (count === 0) return undefined;
      done += count;
    }
    blocks.push(block);
  }
  return Buffer.concat(blocks, length);
}
