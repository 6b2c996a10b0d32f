/**
 * How content of this host gets into an object store, once and right: one attempt, from looking what is there to knowing that the store has it.
 *
 * Pure: an event is what the store said, effects are what it is asked next. What has to outlast the process is the id of an upload in parts alone
 * (`remember`): the store knows which parts it has. An attempt begins by looking, so that one which was cut off between the last request and its
 * answer does not write a second time.
 */
import assert from 'node:assert/strict';

export interface UploadPart {
  /** From 1, as stores count. */
  readonly number: number;
  readonly offset: number;
  readonly lengthBytes: number;
}

/** What a store says it has under the name. */
export interface FoundObject {
  readonly lengthBytes: number;
  readonly etag: string;
}

export interface UploadContent {
  readonly lengthBytes: number;
  /** Of each part but the last. */
  readonly partLengthBytes: number;
  /** MD5s in lower-case hex, by part. */
  readonly md5s: readonly string[];
  /** The entity tag that follows from them. */
  readonly etag: string;
  /** Of an earlier attempt. */
  readonly uploadId?: string | undefined;
}

export type UploadEvent =
  | { readonly kind: 'found'; readonly object: FoundObject | undefined }
  | { readonly kind: 'opened'; readonly uploadId: string }
  /** By number, the entity tags of the parts that the store has. */
  | { readonly kind: 'listed'; readonly parts: ReadonlyMap<number, string> }
  | { readonly kind: 'put'; readonly number: number; readonly etag: string }
  | { readonly kind: 'written'; readonly etag: string }
  /** The store knows no such upload. */
  | { readonly kind: 'unknown' }
  /** Something else has got the name meanwhile. */
  | { readonly kind: 'taken' };

export type UploadEffect =
  | { readonly kind: 'look' }
  /** All of it with one request, where there is nothing. */
  | { readonly kind: 'write' }
  | { readonly kind: 'open' }
  /** Undefined: there is none any more. */
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
  /** There is other content under the name. */
  | { readonly kind: 'conflict'; readonly object: FoundObject };

/** Parts a store takes at most, the least and the usual length of one. */
const maxParts = 10_000;
const leastPartBytes = 8 * 2 ** 20;

/** The smallest that is enough, in whole MiB, so that the same content is cut alike by everybody. */
export function uploadPartLength(lengthBytes: number): number {
  const mib = 2 ** 20;
  return Math.max(leastPartBytes, Math.ceil(lengthBytes / maxParts / mib) * mib);
}

/** One at least: nothing is content as well. */
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

/** Some stores write MD5s in capitals. @param tag in lower case */
export function isTagOf(tag: string, etag: string): boolean {
  return etag.toLowerCase() === tag;
}

export class ObjectUpload {
  readonly #content: UploadContent;
  readonly #parts: readonly UploadPart[];
  /** Entity tags of those the store has. */
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
        // The tag is the store's own where it keeps content encrypted; every request has shown it the MD5 of what it carried.
        return this.#over({ kind: 'done', etag: event.etag });
      case 'unknown':
        // It has ended, by us perhaps.
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
    // A part that is something else is written again: its number is what it is called.
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

  /** Parts take their time, and not every store refuses to complete them over what came meanwhile. */
  #lastLook(): UploadEffect[] {
    this.#asked = 'last look';
    return [{ kind: 'look' }];
  }

  #complete(uploadId: string): UploadEffect[] {
    this.#asked = 'end';
    const parts = this.#parts.map(({ number }) => ({ number, etag: this.#has.get(number) ?? '' }));
    return [{ kind: 'complete', uploadId, parts }];
  }

  /** Parts of an upload that will not be completed would be paid for until somebody deletes them. */
  #over(end: UploadEffect): UploadEffect[] {
    const left = this.#asked === 'end' ? undefined : this.#uploadId;
    this.#asked = 'over';
    this.#uploadId = undefined;
    return left === undefined ? [end] : [{ kind: 'abort', uploadId: left }, end];
  }

  /** The same bytes: by the tag of the parts they are cut into here, or of one part. */
  #isOurs({ lengthBytes, etag }: FoundObject): boolean {
    return lengthBytes === this.#content.lengthBytes && isTagOf(this.#content.etag, etag);
  }
}
