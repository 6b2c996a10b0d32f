/** The result of asking an origin on behalf of a caller. */
import type { ByteRange } from '../../../core/byte-range.ts';
import type { DragonflyError } from '../../../core/errors.ts';
import { withoutCookies } from '../proof/answer-header.ts';
import type { KnownObject } from '../proof/known-objects.ts';
import type { OriginAnswer } from '../proof/question.ts';
import type { Representation } from '../proof/representation.ts';
import type { SmallAnswer } from '../proof/small-answers.ts';

/** What the origin's answer says about stored bytes; empty when it says nothing about them. */
export interface Proof {
  readonly small?: SmallAnswer | undefined;
  readonly object?: KnownObject | undefined;
}

/** The same for another caller: cookies are meant for whom they were sent to. */
export function forOthers({ object, small }: Proof): Proof {
  return {
    small: small && { ...small, header: withoutCookies(small.header) },
    object: object && { ...object, header: withoutCookies(object.header) },
  };
}

/** The origin's answer, which may be passed on unchanged, but only to the client that asked. */
export type InHand = OriginAnswer | undefined;

export interface Outcome {
  readonly proof: Proof;
  readonly inHand: InHand;
  /** What the answer in hand names, if it may be stored as the content of its URL. */
  readonly storable?: Representation | undefined;
  /** Of a part. */
  readonly place?: ByteRange | undefined;
  /** The download that was to read the answer in hand has ended meanwhile. */
  readonly isLate?: boolean;
  /** The client's own request could not be put to the origin. */
  readonly failure?: DragonflyError | undefined;
}
