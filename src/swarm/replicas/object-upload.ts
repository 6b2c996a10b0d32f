/**
 * Uploads this host's content to an object store, exactly once and verified: one attempt, from checking what is there
 * to knowing that the store has it.
 *
 * Pure: an event is an answer of the store, effects are the next requests. Only the id of a multipart upload has to
 * outlast the process (`remember`), since the store knows which parts it has. An attempt begins by checking, so that
 * one that was interrupted between the last request and its answer does not write twice.
 */
import assert from 'node:assert/strict';

export interface UploadPart {
  /** From 1, as stores count. */
  readonly number: number;
  readonly offset: number;
  readonly lengthBytes: number;
}

/** What a store has under the name. */
export interface FoundObject {
  readonly lengthBytes: number;
  readonly etag: string;
}

export interface UploadContent {
  readonly lengthBytes: number;
  /** Length of each part but the last. */
  readonly partLengthBytes: number;
  /** MD5s of the parts, in lower-case hex. */
  readonly md5s: readonly string[];
  /** The entity tag that results from them. */
  readonly etag: string;
  /** Of an earlier attempt. */
  readonly uploadId?: string | undefined;
}

export type UploadEvent =
  | { readonly kind: 'found'; readonly object: FoundObject | undefined }
  | { readonly kind: 'opened'; readonly uploadId: string }
  /** Entity tags of the parts that the store has, by number. */
  | { readonly kind: 'listed'; readonly parts: ReadonlyMap<number, string> }
  | { readonly kind: 'put'; readonly number: number; readonly etag: string }
  | { readonly kind: 'written'; readonly etag: string }
  /** The store knows no such upload. */
  | { readonly kind: 'unknown' }
  /** Something else was stored under the name meanwhile. */
  | { readonly kind: 'taken' };

export type UploadEffect =
  | { readonly kind: 'look' }
  /** Write all of it with one request, unless something is there. */
  | { readonly kind: 'write' }
  | { readonly kind: 'open' }
  /** Undefined once the upload has ended. */
  | { readonly kind: 'remember'; readonly uploadId: string | undefined }
  | { readonly kind: 'list'; readonly uploadId: string }
  | { readonly kind: 'put'; readonly uploadId: string; readonly part: UploadPart }
  | {
      readonly kind: 'complete';
      readonly uploadId: string;
      readonly parts: readonly { number: number; etag: string }[];
    }
  | { readonly kind: 'abort'; readonly uploadId: string }
  | { readonly kind: 'done'; readonly etag: string }
  /** Other content is stored under the name. */
  | { readonly kind: 'conflict'; readonly object: FoundObject };

/** Maximum number of parts that stores accept, and the minimum and usual length of a part. */
const maxParts = 10_000;
const leastPartBytes = 8 * 2 ** 20;

/** The smallest sufficient length in whole MiB, so that everybody cuts the same content alike. */
export function uploadPartLength(lengthBytes: number): number {
  const mib = 2 ** 20;
  return Math.max(leastPartBytes, Math.ceil(lengthBytes / maxParts / mib) * mib);
}

/** At least one: empty content is content as well. */
export function uploadParts({
  lengthBytes,
  partLengthBytes,
}: Pick<UploadContent, 'lengthBytes' | 'partLengthBytes'>): UploadPart[] {
  const count = Math.max(1, Math.ceil(lengthBytes / partLengthBytes));
  return Array.from({ length: count }, (_, index) => {
    const offset = index * partLengthBytes;
    return { number: index + 1, offset, lengthBytes: Math.min(partLengthBytes, lengthBytes - offset) };
  });
}

/** Some stores write MD5s in upper case. @param tag in lower case */
export function isTagOf(tag: string, etag: string): boolean {
  return etag.toLowerCase() === tag;
}

export class ObjectUpload {
  readonly #content: UploadContent;
  readonly #parts: readonly UploadPart[];
  /** Entity tags of the parts that the store has. */
  readonly #has = new Map<number, string>();
  #uploadId: string | undefined;
  #asked: 'nothing' | 'look' | 'id' | 'parts' | 'last look' | 'end' | 'over' = 'nothing';

  constructor(content: UploadContent) {
    this.#content = content;
    this.#parts = uploadParts(content);
    this.#uploadId = content.uploadId;
    assert.equal(content.md5s.length, this.#parts.length);
  }

  begin(): UploadEffect[] {
    return this.#look();
  }

  take(event: UploadEvent): UploadEffect[] {
    switch (event.kind) {
      case 'found':
        return this.#found(event.object);
      case 'opened':
        this.#uploadId = event.uploadId;
        return [{ kind: 'remember', uploadId: event.uploadId }, ...this.#putAll(event.uploadId, this.#parts)];
      case 'listed':
        return this.#listed(event.parts);
      case 'put':
        return this.#put(event.number, event.etag);
      case 'written':
        // Stores that encrypt content return tags of their own; every request has carried the MD5 of its body.
        return this.#over({ kind: 'done', etag: event.etag });
      case 'unknown':
        // The upload has ended, perhaps by a request of ours.
        if (this.#asked !== 'parts' && this.#asked !== 'end') return [];
        this.#uploadId = undefined;
        this.#has.clear();
        return [{ kind: 'remember', uploadId: undefined }, ...this.#look()];
      case 'taken':
        return this.#look();
    }
  }

  #look(): UploadEffect[] {
    this.#asked = 'look';
    return [{ kind: 'look' }];
  }

  #found(object: FoundObject | undefined): UploadEffect[] {
    if (object) {
      const end: UploadEffect = this.#isOurs(object)
        ? { kind: 'done', etag: object.etag }
        : { kind: 'conflict', object };
      return this.#over(end);
    }
    if (this.#asked === 'last look' && this.#uploadId !== undefined) return this.#complete(this.#uploadId);
    if (this.#parts.length === 1) {
      this.#asked = 'end';
      return [{ kind: 'write' }];
    }
    if (this.#uploadId === undefined) {
      this.#asked = 'id';
      return [{ kind: 'open' }];
    }
    this.#asked = 'parts';
    return [{ kind: 'list', uploadId: this.#uploadId }];
  }

  #listed(parts: ReadonlyMap<number, string>): UploadEffect[] {
    assert(this.#uploadId !== undefined);
    // A part with other content is overwritten, since its number identifies it.
    for (const { number } of this.#parts) {
      const etag = parts.get(number);
      if (etag !== undefined && isTagOf(this.#content.md5s[number - 1] ?? '', etag)) this.#has.set(number, etag);
    }
    return this.#putAll(
      this.#uploadId,
      this.#parts.filter(({ number }) => !this.#has.has(number)),
    );
  }

  #putAll(uploadId: string, parts: readonly UploadPart[]): UploadEffect[] {
    this.#asked = 'parts';
    return parts.length === 0 ? this.#lastLook() : parts.map((part) => ({ kind: 'put', uploadId, part }));
  }

  #put(number: number, etag: string): UploadEffect[] {
    if (this.#asked !== 'parts' || this.#uploadId === undefined) return [];
    this.#has.set(number, etag);
    return this.#has.size === this.#parts.length ? this.#lastLook() : [];
  }

  /** Checks once more before completing, because parts take time and not every store refuses to overwrite an object written meanwhile. */
  #lastLook(): UploadEffect[] {
    this.#asked = 'last look';
    return [{ kind: 'look' }];
  }

  #complete(uploadId: string): UploadEffect[] {
    this.#asked = 'end';
    const parts = this.#parts.map(({ number }) => ({ number, etag: this.#has.get(number) ?? '' }));
    return [{ kind: 'complete', uploadId, parts }];
  }

  /** Parts of an abandoned upload would be billed until somebody deletes them. */
  #over(end: UploadEffect): UploadEffect[] {
    const left = this.#asked === 'end' ? undefined : this.#uploadId;
    this.#asked = 'over';
    this.#uploadId = undefined;
    return left === undefined ? [end] : [{ kind: 'abort', uploadId: left }, end];
  }

  /** Whether the bytes are the same: by the tag of this cut into parts, or of a single part. */
  #isOurs({ lengthBytes, etag }: FoundObject): boolean {
    return lengthBytes === this.#content.lengthBytes && isTagOf(this.#content.etag, etag);
  }
}
