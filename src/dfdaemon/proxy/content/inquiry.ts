/** How an origin is asked about an object on behalf of a caller. Pure. */
import type { ClientCall } from '../client-call.ts';
import type { KnownObject } from '../proof/known-objects.ts';
import { conditionsOf } from '../proof/own-conditions.ts';
import { preconditionNames } from '../proof/preconditions.ts';
import { signedHeaders } from '../proof/signed-headers.ts';
import type { SmallAnswer } from '../proof/small-answers.ts';

/** What this node holds of the object. */
export interface Held {
  readonly small: SmallAnswer | undefined;
  readonly known: readonly KnownObject[];
}

export interface Inquiry extends Held {
  readonly header: Readonly<Record<string, string>>;
  /** The origin's answer to the question is also its answer to the client's own request. */
  readonly faithful: boolean;
  /** Conditions that this node adds; the client has not set them. */
  readonly conditions: Readonly<Record<string, string>>;
}

/** The client's own request, for an object of which nothing is held. */
export function ownInquiry({ header }: ClientCall): Inquiry {
  return { header, faithful: true, conditions: {}, small: undefined, known: [] };
}

/**
 * The question to ask; undefined when only the client's own request can be sent, whose answer would prove nothing.
 * @param alone no other node could hold the content or want it at the same time
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
  // On a node without a swarm the client's own request is both question and fetch. With many nodes it would start as many copies.
  if (!held && !ranged && alone) return ownInquiry(call);
  const bare = Object.fromEntries(Object.entries(header).filter(([name]) => !conditioned.includes(name as never)));
  const conditions = signed.has('if-none-match') ? {} : conditionsOf(small, known);
  // One byte suffices to learn what the object is, but a small object is not worth an extra request.
  const probes = !rangeIsSigned && !small;
  return {
    header: { ...bare, ...conditions, ...(probes ? { range: 'bytes=0-0' } : {}) },
    faithful: conditioned.length === 0 && !probes,
    conditions,
    small,
    known,
  };
}
