/** Carries out one attempt to upload content of this node to its store (ObjectUpload), a few parts at once. */
import assert from 'node:assert/strict';
import { DragonflyError } from '../../core/errors.ts';
import {
  ObjectUpload,
  uploadParts,
  type UploadContent,
  type UploadEffect,
  type UploadEvent,
} from '../../swarm/replicas/object-upload.ts';
import { importLimits } from './limits.ts';
import type { ObjectRequests } from './object-requests.ts';

export interface WriteOrder {
  readonly content: UploadContent;
  /** The whole content; it does not change. */
  readonly path: string;
  /** Records the id of the upload, or that there is none, before anything else happens. */
  readonly remember: (uploadId: string | undefined) => void;
}

/**
 * Resolves with the entity tag when the store has it. Throws ALREADY_EXISTS when the store has something else under the
 * name, the store's error, or the signal's reason; after that nothing of it runs any more.
 */
export async function writeObject(requests: ObjectRequests, order: WriteOrder, signal: AbortSignal): Promise<string> {
  const upload = new ObjectUpload(order.content);
  let ready = upload.begin();
  const ending = new AbortController();
  const run = { requests, order, signal: AbortSignal.any([signal, ending.signal]) };
  const running = new Set<Promise<void>>();
  try {
    for (;;) {
      while (ready[0] && hasRoom(ready[0], running.size)) {
        const effect = ready.shift() as UploadEffect;
        if (effect.kind === 'done') return effect.etag;
        if (effect.kind === 'conflict') throw otherContent();
        if (effect.kind === 'remember') order.remember(effect.uploadId);
        else {
          const work = ask(effect, run).then((event) => {
            running.delete(work);
            if (event?.kind === 'unknown') ready = ready.filter(({ kind }) => kind !== 'put'); // parts of what is no more
            if (event) ready.push(...upload.take(event));
          });
          running.add(work);
        }
      }
      if (running.size > 0) await Promise.race(running);
      else assert(ready.length > 0, 'an upload ends with an effect that says so');
    }
  } finally {
    ending.abort();
    await Promise.allSettled(running);
  }
}

function hasRoom({ kind }: UploadEffect, running: number): boolean {
  return kind === 'remember' || running < (kind === 'put' ? importLimits.partsAtOnce : 1);
}

interface Run {
  readonly requests: ObjectRequests;
  readonly order: WriteOrder;
  readonly signal: AbortSignal;
}

async function ask(
  effect: Exclude<UploadEffect, { kind: 'done' | 'conflict' | 'remember' }>,
  { requests, order: { content, path }, signal }: Run,
): Promise<UploadEvent | undefined> {
  signal.throwIfAborted();
  switch (effect.kind) {
    case 'look':
      return { kind: 'found', object: await requests.look(signal) };
    case 'write': {
      const [part] = uploadParts(content);
      assert(part);
      return ended(await requests.write(path, part, { md5: content.md5s[0] ?? '', signal }));
    }
    case 'open':
      return { kind: 'opened', uploadId: await requests.open(signal) };
    case 'list': {
      const parts = await requests.list(effect.uploadId, signal);
      return typeof parts === 'string' ? { kind: parts } : { kind: 'listed', parts };
    }
    case 'put': {
      const { uploadId, part } = effect;
      const md5 = content.md5s[part.number - 1] ?? '';
      const answer = await requests.put(path, part, { uploadId, md5, signal });
      return typeof answer === 'string' ? { kind: answer } : { kind: 'put', number: part.number, etag: answer.etag };
    }
    case 'complete':
      return ended(await requests.complete(effect.uploadId, effect.parts, signal));
    case 'abort':
      await requests.abort(effect.uploadId, signal).catch(() => undefined); // the store's own rules delete it later
      return undefined;
  }
}

function ended(answer: { readonly etag: string } | 'unknown' | 'taken'): UploadEvent {
  return typeof answer === 'string' ? { kind: answer } : { kind: 'written', etag: answer.etag };
}

function otherContent(): DragonflyError {
  return new DragonflyError('ALREADY_EXISTS', 'the store has other content under this name', {
    hint: 'Choose another name, or delete what is there with "dfstore rm".',
  });
}
