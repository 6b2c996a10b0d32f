/** What this node knows of objects that are stored as tasks: which contents a URL had, and what the origin said of each. */
import { LRUCache } from 'lru-cache';
import type { DownloadRequest, OpenTask, TaskHead } from '../../task/open-task.ts';
import { proxyLimits } from '../limits.ts';
import { flat, headerOfTask, withoutCookies, type AnswerHeader } from './answer-header.ts';
import type { Freshness } from './freshness.ts';
import {
  isPage,
  representationOf,
  sameRepresentation,
  type FlatHeader,
  type Representation,
} from './representation.ts';
import { variantOf } from './variant.ts';

export interface KnownObject {
  readonly representation: Representation;
  /** Used for the next answer unless the origin sends a newer one. */
  readonly header: AnswerHeader;
  /** Undefined when the origin's own words are not known on this node. */
  readonly freshness: Freshness | undefined;
  /** The caller that the origin answered with this header. */
  readonly toldTo?: string | undefined;
}

export interface Tasks {
  taskIdOf(request: DownloadRequest): string;
  headOf(taskId: string): TaskHead | undefined;
}

export class KnownObjects {
  readonly #tasks: Tasks;
  /** Keyed by the id of the task that the URL alone names. */
  readonly #told = new LRUCache<string, readonly KnownObject[]>({ max: proxyLimits.knownObjects });

  constructor(tasks: Tasks) {
    this.#tasks = tasks;
  }

  /** The latest first. */
  of(request: DownloadRequest): readonly KnownObject[] {
    const id = this.#tasks.taskIdOf(request);
    const told = this.#told.get(id) ?? [];
    const stored = this.#stored(id);
    if (!stored || told.some((object) => sameRepresentation(object.representation, stored.representation))) return told;
    return [...told, stored];
  }

  /** What is known, and whether its origin gives it to some callers only, of whom this one was none so far. */
  held(
    request: DownloadRequest,
    requestHeader: FlatHeader,
    isGranted: (of: KnownObject) => boolean,
  ): { readonly known: readonly KnownObject[]; readonly toProve: boolean } {
    const known = this.of(request);
    const isRestricted = known.some(({ representation, header }) =>
      // What the origin chooses by request fields is stored apart, and an object may have come to vary only later.
      [...new Set(['', variantOf(flat(header)['vary'], requestHeader)])]
        .flatMap((variant) => this.identities(request, representation, variant))
        .some((identity) => this.#tasks.headOf(this.#tasks.taskIdOf(identity))?.restricted === true),
    );
    return { known, toProve: isRestricted && !known.some(isGranted) };
  }

  note(request: DownloadRequest, object: KnownObject): void {
    const id = this.#tasks.taskIdOf(request);
    const others = (this.#told.get(id) ?? []).filter(
      ({ representation }) => !sameRepresentation(representation, object.representation),
    );
    const kept = { ...object, header: withoutCookies(object.header) };
    this.#told.set(id, [kept, ...others].slice(0, proxyLimits.variants));
  }

  /**
   * The identities under which these bytes may be stored: that of the URL, unless other bytes have it on this node,
   * then that of this content of the URL. Content that the origin chooses by request fields has one identity per
   * choice, since the origin may give all of them the same validator. @param variant empty for content that everybody
   * gets
   */
  identities(request: DownloadRequest, representation: Representation, variant: string): readonly DownloadRequest[] {
    const id = this.#tasks.taskIdOf(request);
    const { validator, lengthBytes } = representation;
    const parts = [id, validator, lengthBytes, ...(variant === '' ? [] : [variant])];
    const ofContent = { ...request, contentForCalculatingTaskId: parts.join('\n') };
    if (variant !== '') return [{ ...ofContent, needBackToSource: true }]; // a seed would get another variant
    const stored = this.#stored(id);
    return stored && !sameRepresentation(stored.representation, representation) ? [ofContent] : [request, ofContent];
  }

  #stored(id: string): KnownObject | undefined {
    const head = this.#tasks.headOf(id);
    const representation = head && representationOfTask(head);
    return representation && { representation, header: headerOfTask(head.responseHeader), freshness: undefined };
  }
}

export function representationOfTask({
  responseHeader,
  contentLengthBytes,
}: Pick<OpenTask, 'responseHeader' | 'contentLengthBytes'>): Representation | undefined {
  if (contentLengthBytes === undefined) return undefined;
  return representationOf(200, { ...responseHeader, 'content-length': String(contentLengthBytes) });
}

/** A page to sign in at may come with the status, the length and the tag of what it stands for. */
export function isOtherPage(header: FlatHeader, known: readonly KnownObject[]): boolean {
  return known.length > 0 && isPage(header) && !known.some((object) => isPage(flat(object.header)));
}
