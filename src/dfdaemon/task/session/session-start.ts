/** What a session with the scheduler starts with. */
import type { RangeSpec } from '../../../core/byte-range.ts';
import type { Download } from '../../../../gen/common/v2/common.ts';
import type { OpenPeerStream } from './scheduler-session.ts';

export type Registration = Parameters<typeof Download.fromPartial>[0];

export interface SessionStart {
  readonly open: OpenPeerStream;
  readonly registration: Registration;
  /** The download is only for this part, for which a reader waits. */
  readonly readerRange: RangeSpec | undefined;
  readonly told: {
    /** This node reports digests of pieces, and verifies pieces from others. */
    readonly pieceDigests: boolean;
    readonly hasFallback: boolean;
  };
  /** The registration with everything that a scheduler of the original has to know. */
  readonly forOriginal: () => Promise<Registration>;
  /** Address of a scheduler that already knows of the download, to register there. */
  readonly scheduler: string | undefined;
}
