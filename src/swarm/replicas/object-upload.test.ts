import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ObjectUpload, uploadPartLength, uploadParts, type UploadContent, type UploadEffect } from './object-upload.ts';

const mib = 2 ** 20;

/** A store, including what it hides: a request may be carried out although its answer is lost. */
class Store {
  object: { content: string; lengthBytes: number; etag: string } | undefined;
  readonly uploads = new Map<string, Map<number, string>>();
  writes = 0;
  #ids = 0;

  answer(effect: UploadEffect, content: UploadContent): Parameters<ObjectUpload['take']>[0] | undefined {
    switch (effect.kind) {
      case 'look':
        return { kind: 'found', object: this.object };
      case 'write':
        if (this.object) return { kind: 'taken' };
        this.#write(content.md5s[0] ?? '', content);
        return { kind: 'written', etag: content.etag };
      case 'open': {
        const uploadId = `u${(this.#ids += 1)}`;
        this.uploads.set(uploadId, new Map());
        return { kind: 'opened', uploadId };
      }
      case 'list': {
        const parts = this.uploads.get(effect.uploadId);
        return parts ? { kind: 'listed', parts: new Map(parts) } : { kind: 'unknown' };
      }
      case 'put': {
        const parts = this.uploads.get(effect.uploadId);
        const etag = content.md5s[effect.part.number - 1] ?? '';
        if (!parts) return { kind: 'unknown' };
        parts.set(effect.part.number, etag);
        return { kind: 'put', number: effect.part.number, etag };
      }
      case 'complete': {
        const parts = this.uploads.get(effect.uploadId);
        if (!parts) return { kind: 'unknown' };
        if (this.object) return { kind: 'taken' };
        assert.deepEqual(
          effect.parts,
          [...parts].toSorted(([a], [b]) => a - b).map(([number, etag]) => ({ number, etag })),
        );
        this.uploads.delete(effect.uploadId);
        this.#write([...parts.values()].join(), content);
        return { kind: 'written', etag: content.etag };
      }
      case 'abort':
        this.uploads.delete(effect.uploadId);
        return undefined;
      case 'remember':
      case 'done':
      case 'conflict':
        return undefined;
    }
  }

  #write(written: string, { lengthBytes, etag }: UploadContent): void {
    this.writes += 1;
    this.object = { content: written, lengthBytes, etag };
  }
}

function contentOf(parts: number): UploadContent {
  const md5s = Array.from({ length: parts }, (_, index) => createHash('md5').update(String(index)).digest('hex'));
  const partLengthBytes = 8 * mib;
  return {
    lengthBytes: (parts - 1) * partLengthBytes + 5,
    partLengthBytes,
    md5s,
    etag: parts === 1 ? (md5s[0] ?? '') : `t-${parts}`,
  };
}

/** Runs until the upload is over, or until the process dies: after the given number of requests, of which the last answer is lost. */
function attempt(
  store: Store,
  content: UploadContent,
  dieAfter = Infinity,
): { end?: UploadEffect; uploadId: string | undefined } {
  const upload = new ObjectUpload(content);
  const queue = upload.begin();
  let { uploadId } = content;
  let requests = 0;
  for (let effect = queue.shift(); effect; effect = queue.shift()) {
    if (effect.kind === 'remember') uploadId = effect.uploadId;
    if (effect.kind === 'done' || effect.kind === 'conflict') return { end: effect, uploadId };
    const answer = store.answer(effect, content);
    if (!answer) continue;
    if ((requests += 1) > dieAfter) return { uploadId };
    queue.push(...upload.take(answer));
  }
  return { uploadId };
}

describe('getting content into a store', () => {
  test('a short one by one request, a long one in parts, and both but once', () => {
    for (const parts of [1, 2, 5]) {
      const store = new Store();
      const content = contentOf(parts);
      assert.deepEqual(attempt(store, content).end, { kind: 'done', etag: content.etag });
      assert.deepEqual(attempt(store, content).end, { kind: 'done', etag: content.etag });
      assert.equal(store.writes, 1);
      assert.equal(store.uploads.size, 0);
    }
  });

  test('other content under the name stays, and no parts are left behind', () => {
    const store = new Store();
    const content = contentOf(3);
    const { uploadId } = attempt(store, content, 3);
    store.object = { content: 'x', lengthBytes: 1, etag: 'x' };
    const { end } = attempt(store, { ...content, uploadId });
    assert.equal(end?.kind, 'conflict');
    assert.equal(store.uploads.size, 0);
  });

  test('somebody who was faster is found out at the end', () => {
    const store = new Store();
    const content = contentOf(1);
    const upload = new ObjectUpload(content);
    upload.begin();
    assert.deepEqual(upload.take({ kind: 'found', object: undefined }), [{ kind: 'write' }]);
    store.object = { content: 'x', lengthBytes: 1, etag: 'x' };
    assert.deepEqual(upload.take({ kind: 'taken' }), [{ kind: 'look' }]);
    assert.equal(upload.take({ kind: 'found', object: store.object })[0]?.kind, 'conflict');
  });

  test('wherever it is cut off, and however often: it is there once and right in the end', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 6 }),
        (parts, deaths) => {
          const store = new Store();
          const content = contentOf(parts);
          let uploadId: string | undefined;
          for (const requests of deaths) ({ uploadId } = attempt(store, { ...content, uploadId }, requests));
          assert.equal(attempt(store, { ...content, uploadId }).end?.kind, 'done');
          assert.equal(store.writes, 1);
          assert.equal(store.object?.content, content.md5s.join());
        },
      ),
    );
  });

  test('tags in capitals are the same tags', () => {
    const content = { ...contentOf(2), etag: `${'ab'.repeat(16)}-2`, uploadId: 'u' };
    const upload = new ObjectUpload(content);
    upload.begin();
    upload.take({ kind: 'found', object: undefined });
    const parts = new Map(content.md5s.map((md5, index) => [index + 1, md5.toUpperCase()]));
    assert.deepEqual(upload.take({ kind: 'listed', parts }), [{ kind: 'look' }]);
    const { lengthBytes, etag } = content;
    const object = { lengthBytes, etag: etag.toUpperCase() };
    assert.deepEqual(upload.take({ kind: 'found', object }).at(-1), { kind: 'done', etag: object.etag });
  });

  test('parts are as few as stores allow, and cover everything', () => {
    for (const lengthBytes of [0, 1, 8 * mib, 8 * mib + 1, 5 * 2 ** 40]) {
      const partLengthBytes = uploadPartLength(lengthBytes);
      const parts = uploadParts({ lengthBytes, partLengthBytes });
      assert.ok(parts.length >= 1 && parts.length <= 10_000);
      assert.equal(
        parts.reduce((sum, part) => sum + part.lengthBytes, 0),
        lengthBytes,
      );
    }
  });
});
