/** What a session with the scheduler begins with. */
import type { RangeSpec } from '../../../core/byte-range.ts';
import type { Download } from '../../../../gen/common/v2/common.ts';
import type { OpenPeerStream } from './scheduler-session.ts';

export type Registration = Parameters<typeof Download.fromPartial>[0];

export interface SessionStart {
  readonly open: OpenPeerStream;
  readonly registration: Registration;
  /** The download is for this part only, and its reader waits. */
  readonly readerRange: RangeSpec | undefined;
  readonly told: {
    /** This node reports digests of pieces, and verifies pieces from others. */
    readonly pieceDigests: boolean;
    readonly hasFallback: boolean;
  };
  /** The registration once all is known that a scheduler of the original has to be told. */
  readonly forOriginal: () => Promise<Registration>;
  /** Address of the scheduler to register at, when it knows of the download already. */
  readonly scheduler: string | undefined;
}
