/** How an origin is asked about an object on behalf of a caller. Pure. */
import type { ClientCall } from '../client-call.ts';
import type { KnownObject } from '../proof/known-objects.ts';
import { conditionsOf } from '../proof/own-conditions.ts';
import { preconditionNames } from '../proof/preconditions.ts';
import { signedHeaders } from '../proof/signed-headers.ts';
import type { SmallAnswer } from '../proof/small-answers.ts';

/** What is held here of the object. */
export interface Held {
  readonly small: SmallAnswer | undefined;
  readonly known: readonly KnownObject[];
}

export interface Inquiry extends Held {
  readonly header: Readonly<Record<string, string>>;
  /** Its answer is that to the client's own request. */
  readonly faithful: boolean;
  /** Of our own, which the client has not set. */
  readonly conditions: Readonly<Record<string, string>>;
}

/** The client's own request, with nothing held. */
export function ownInquiry({ header }: ClientCall): Inquiry {
  return { header, faithful: true, conditions: {}, small: undefined, known: [] };
}

/**
 * Undefined when nothing can be asked but the client's own request, whose answer would prove nothing.
 * @param alone no other node could hold the content, or want it at the same time
 */
export function inquiryOf(
  call: ClientCall,
  { small, known }: Held,
  { nameless, alone }: { nameless: boolean; alone: boolean },
): Inquiry | undefined {
  const { header, url } = call;
  const signed = signedHeaders(header, url);
  const conditioned = preconditionNames.filter((name) => header[name] !== undefined);
  const ranged = header['range'] !== undefined;
  const rangeIsSigned = ranged && signed.has('range');
  if (conditioned.some((name) => signed.has(name))) return undefined;
  const held = small !== undefined || known.length > 0;
  if (!held && (nameless || rangeIsSigned)) return undefined;
  // Alone, the client's own request is question and fetch in one; many nodes at once would start as many copies.
  if (!held && !ranged && alone) return ownInquiry(call);
  const bare = Object.fromEntries(Object.entries(header).filter(([name]) => !conditioned.includes(name as never)));
  const conditions = signed.has('if-none-match') ? {} : conditionsOf(small, known);
  // A byte is enough to be told what the object is; a small one is not worth another request.
  const probes = !rangeIsSigned && !small;
  return {
    header: { ...bare, ...conditions, ...(probes ? { range: 'bytes=0-0' } : {}) },
    faithful: conditioned.length === 0 && !probes,
    conditions,
    small,
    known,
  };
}
