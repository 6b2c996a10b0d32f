/** How an origin is asked about an object on behalf of a caller. */
import { createHash, randomBytes } from 'node:crypto';
import type { ClientCall } from '../client-call.ts';
import type { KnownObject } from '../proof/known-objects.ts';
import { callerKey } from '../proof/caller.ts';
import { conditionsOf } from '../proof/own-conditions.ts';
import { preconditionNames } from '../proof/preconditions.ts';
import { signedHeaders } from '../proof/signed-headers.ts';
import type { Representation } from '../proof/representation.ts';
import type { SmallAnswer } from '../proof/small-answers.ts';

/** What this node holds of the object. */
export interface Held {
  readonly small: SmallAnswer | undefined;
  readonly known: readonly KnownObject[];
  /** The content is for some only, and this caller has not been given any of it yet. */
  readonly toProve?: boolean;
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
  { small, known, toProve = false }: Held,
  { nameless, alone }: { nameless: boolean; alone: boolean },
): Inquiry | undefined {
  const { header, url } = call;
  const signed = signedHeaders(header, url);
  const conditioned = preconditionNames.filter((name) => header[name] !== undefined);
  const ranged = header['range'] !== undefined;
  const rangeIsSigned = signed.has('range');
  if (conditioned.some((name) => signed.has(name))) return undefined;
  const held = small !== undefined || known.length > 0;
  if (!held && (nameless || (ranged && rangeIsSigned))) return undefined;
  // On a node without a swarm the client's own request is both question and fetch. With many nodes it would start as many copies.
  if (!held && !ranged && alone) return ownInquiry(call);
  const bare = Object.fromEntries(Object.entries(header).filter(([name]) => !conditioned.includes(name as never)));
  // "Not modified" may be told to anybody, and says nothing of who may have the bytes.
  const conditions = signed.has('if-none-match') || (toProve && !small) ? {} : conditionsOf(small, known);
  // One byte suffices to learn what the object is, but a small object is not worth an extra request.
  const probes = !rangeIsSigned && !small;
  const place = toProve && known[0] ? placeIn(known[0].representation, call) : 0;
  return {
    header: { ...bare, ...conditions, ...(probes ? { range: `bytes=${place}-${place}` } : {}) },
    faithful: conditioned.length === 0 && !probes,
    conditions,
    small,
    known,
  };
}

/** Nobody can tell it from outside, and those who ask the same at once ask for the same byte. */
const salt = randomBytes(16);

/** The beginning of content is often for everybody, as a preview. */
function placeIn({ lengthBytes }: Representation, { url, header }: ClientCall): number {
  const digest = createHash('sha256')
    .update(salt)
    .update(`${url.href}\n${callerKey(header)}`)
    .digest();
  return lengthBytes === 0 ? 0 : digest.readUIntBE(0, 6) % lengthBytes;
}

/** The origin may answer each caller differently, so the key contains the caller. */
export function namelessKey(taskId: string, header: ClientCall['header']): string {
  return `${taskId}\n${callerKey(header)}`;
}
